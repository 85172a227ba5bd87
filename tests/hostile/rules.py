"""How a call may end, and what it must leave alone."""

import random
import warnings

import joblib
import keras
import numpy as np
import pandas as pd
import polars as pl

from wbce._backend import eager_context, global_state


class Broken(AssertionError):
    """A call ended in another way than the rules allow."""


def ending(act, *, about=(), estimator=None, inputs=()):
    """Say how a call ends: ``"correct"``, or by the name of the error that a person understands.

    Parameters
    ----------
    act : callable
        Calls, and checks what comes out by assertions.
    about : tuple of str
        Words of which an error's message must have one.
    estimator : WeightedKerasClassifier, optional
        On error it must be as it was; its parameters must be the same in any case.
    inputs : sequence
        What must not be changed.

    Raises
    ------
    Broken
        If it ends in another way, or changes what it must not.
    """
    state = {} if estimator is None else dict(vars(estimator))
    given = [*inputs, *(value for name, value in state.items() if name[0] != "_" != name[-1])]
    before, world = [fingerprint(value) for value in given], global_states()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            filters = list(warnings.filters)
            try:
                act()
            finally:
                if warnings.filters != filters:
                    raise Broken("the warnings filters have changed")
        how = "correct"
    except (ValueError, TypeError) as error:
        how = "ValueError" if isinstance(error, ValueError) else "TypeError"
        message = str(error)
        if about and not any(word in message for word in about):
            raise Broken(f"the message has none of {about}: {how}: {message}") from error
        if estimator is not None and not _same(vars(estimator), state):
            raise Broken(f"the estimator is not as it was before {message}") from error
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    if estimator is not None:
        for name, value in state.items():
            if name[0] != "_" != name[-1] and vars(estimator).get(name) is not value:
                raise Broken(f"the parameter {name} has changed")
    if [fingerprint(value) for value in given] != before:
        raise Broken("an input has changed")
    for name, value in global_states().items():
        if value != world[name]:
            raise Broken(f"{name} has changed")
    return how


def fingerprint(value):
    """Something that differs where two values do, as far as can be told without reading it up."""
    if isinstance(value, keras.callbacks.Callback):  # which knows its network
        return id(value)
    if isinstance(value, pl.DataFrame):  # which cannot pickle objects
        value = value.schema, value.to_dict(as_series=False)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        value = pd.Series(value)
    if isinstance(value, pd.DataFrame | pd.Series):  # which cache what was asked of them
        frame = value.to_frame() if isinstance(value, pd.Series) else value
        value = frame.index, frame.columns, str(frame.dtypes), frame.astype(object).to_numpy()
    try:
        return joblib.hash(value)
    except Exception:
        return id(value)


def global_states():
    """State of the process that a call must not change."""
    context = eager_context()
    seed = getattr(context, "_seed", None)
    generator = None if seed is None else context._rng
    return {
        "Python's generator": random.getstate(),
        "NumPy's generator": joblib.hash(np.random.get_state()),
        "TensorFlow's seed": seed,
        "TensorFlow's generator": generator and generator.getstate(),
        "Keras' generator": global_state.get_global_attribute("global_seed_generator"),
        "NumPy's error handling": np.geterr(),
        "Keras' type of floats": keras.config.floatx(),
    }


def _same(now, before):
    return now.keys() == before.keys() and all(now[name] is before[name] for name in now)
