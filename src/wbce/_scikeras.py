"""The seam to SciKeras, and to what changes or is private in scikit-learn.

SciKeras gives parameter routing, target encoders, metadata for network functions, callbacks and
the call of Keras' ``fit``. What its last release lacks on today's scikit-learn is mended here,
and only here: tags, the order of mixins, validation of X and y, the handling of unknown
keywords, seeds without global switches. When upstream moves, this module shrinks.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from wbce import losses  # starts TensorFlow quietly, before SciKeras imports Keras

import keras  # isort: skip
import numpy as np
from numpy.typing import NDArray
from scikeras.utils.transformers import ClassifierLabelEncoder
from scikeras.wrappers import BaseWrapper, KerasClassifier
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wbce.persistence import copy_network

_SCIKERAS_KEYWORDS = (
    {"build_fn", "validation_batch_size", "run_eagerly"}
    | BaseWrapper._fit_kwargs
    | BaseWrapper._predict_kwargs
    | BaseWrapper._compile_kwargs
)
_PREFIXES = (*BaseWrapper._routing_prefixes, "callbacks", "score")


class _MixinsFirst(type):
    """Puts ClassifierMixin before BaseWrapper, as scikit-learn wants its mixins ordered.

    KerasClassifier inherits from them the other way round, which no subclass can change by
    listing bases.
    """

    def mro(cls) -> list[type]:
        order = super().mro()
        if BaseWrapper in order and ClassifierMixin in order:
            order.remove(ClassifierMixin)
            order.insert(order.index(BaseWrapper), ClassifierMixin)
        return order

    @property
    def __signature__(cls) -> inspect.Signature:
        """The parameters of ``__init__`` that have a name; scikit-learn takes them for all."""
        signature = inspect.signature(cls.__init__)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        return signature.replace(parameters=named[1:])


def _base_wrapper_tags(self: BaseWrapper) -> Any:
    return super(BaseWrapper, self).__sklearn_tags__()


# BaseWrapper still has the `_more_tags` of old, which scikit-learn accepts only beside this.
if "__sklearn_tags__" not in vars(BaseWrapper):
    BaseWrapper.__sklearn_tags__ = _base_wrapper_tags


class SciKerasClassifier(KerasClassifier, metaclass=_MixinsFirst):
    """SciKeras' classifier as today's scikit-learn expects a classifier to behave."""

    # ------------------------------------------------------------------ parameters

    def _take_keywords(self, keywords: dict[str, Any]) -> None:
        """Store routed parameters and arguments of the network function; refuse all others."""
        known = [p for p in inspect.signature(type(self).__init__).parameters if p != "self"]
        for name in keywords:
            if name in _SCIKERAS_KEYWORDS or _is_routed(name):
                continue
            near = get_close_matches(name, known, 1)
            named = _accepts(self._network_function(), name)
            if named or (named is None and not near):
                continue  # what the function does not name, it refuses when it is called
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{type(self).__name__} got an unexpected keyword argument {name!r}.{hint} "
                "An argument of the function that builds the network is passed as "
                f"model__{name}, or as {name} where `model` is a function that names it."
            )
        vars(self).update(keywords)
        if keywords:
            self._user_params = set(keywords)

    def _network_function(self) -> Any:
        """What builds the network: a function, a method of a subclass, or None."""
        build_fn = getattr(self, "build_fn", None)
        method = getattr(self, "_keras_build_fn", None)
        return next((f for f in (self.model, build_fn, method) if f is not None), None)

    def set_params(self, **params: Any) -> SciKerasClassifier:
        """Set parameters; routed ones (``optimizer__learning_rate``) need not exist before.

        Parameters
        ----------
        **params : dict
            Parameters by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a name is unknown; the nearest known one is suggested.
        """
        known = [name for name in self.get_params(deep=False) if not _is_routed(name)]
        for name in params:
            if _is_routed(name) or name in known or name in _SCIKERAS_KEYWORDS:
                continue
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Invalid parameter {name!r} for {type(self).__name__}.{hint} "
                f"Known parameters: {sorted(known)}."
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    __repr__ = BaseEstimator.__repr__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = False
        tags.classifier_tags.multi_label = False
        return tags

    # ------------------------------------------------------------------ rows

    def _validate_data(
        self,
        X: Any = None,
        y: Any = None,
        reset: bool = False,
        y_numeric: bool = False,
        same_dtype: bool = False,
    ) -> tuple[Any, Any]:
        """Check rows and labels; with ``reset`` remember their shapes and types."""
        if X is not None:
            X = self._validate_X(X, reset=reset, same_dtype=same_dtype)
        if y is not None:
            y = self._validate_y(y, reset=reset, same_dtype=same_dtype)
        if X is not None and y is not None:
            check_consistent_length(X, y)
        return X, y

    def _validate_X(self, X: Any, *, reset: bool, same_dtype: bool) -> NDArray[Any]:
        name = type(self).__name__
        if issparse(X):
            raise TypeError(
                f"Sparse data was passed for X ({type(X).__name__}), but {name} needs a dense "
                "array. Use X.toarray(), or reduce it first, for instance with TruncatedSVD."
            )
        n_dimensions = getattr(X, "ndim", 2)
        if not reset and n_dimensions > 1 and n_dimensions != len(self.X_shape_):
            raise ValueError(
                f"X has {n_dimensions} dimensions, but this {name} is expecting "
                f"{len(self.X_shape_)} dimensions in X."
            )
        try:
            X = validate_data(
                self, X, reset=reset, dtype="numeric", accept_sparse=False, allow_nd=True
            )
        except ValueError as error:
            if "could not convert string" in str(error) or "bytes/strings" in str(error):
                raise ValueError(
                    f"X has values that are not numbers ({error}). Turn text and categories into "
                    "numbers first, in a Pipeline: OneHotEncoder or OrdinalEncoder of "
                    "scikit-learn, by a ColumnTransformer."
                ) from error
            raise
        if X.dtype.kind == "f" and X.dtype.itemsize > 4 and X.size:
            largest = float(np.abs(X).max())
            if largest > np.finfo(keras.backend.floatx()).max:
                raise ValueError(
                    f"X contains {largest:g}, a value too large for {keras.backend.floatx()}. "
                    "Rescale or clip that column, or take its logarithm."
                )
        if reset:
            self.X_dtype_, self.X_shape_ = X.dtype, X.shape
            self.n_features_in_ = X.shape[1]
        elif X.shape[1:] != self.X_shape_[1:]:
            raise ValueError(
                f"X has shape {X.shape[1:]}, but this {name} is expecting X of shape "
                f"{self.X_shape_[1:]}"
            )
        elif same_dtype and not np.can_cast(X.dtype, self.X_dtype_, "same_kind"):
            raise ValueError(
                f"Got X with dtype {X.dtype}, but this {name} expected {self.X_dtype_} and "
                f"casting from {X.dtype} to {self.X_dtype_} is not safe!"
            )
        return X

    def _validate_y(self, y: Any, *, reset: bool, same_dtype: bool) -> NDArray[Any]:
        name = type(self).__name__
        y = check_array(y, ensure_2d=False, allow_nd=False, dtype=None, input_name="y")
        if reset:
            check_classification_targets(y)
            self.target_type_ = self._type_of_target(y)
            self.y_dtype_, self.y_ndim_ = y.dtype, y.ndim
            if y.ndim == 2 and y.shape[1] == 1:
                warnings.warn(
                    "A column-vector y was passed when a 1d array was expected. Please change "
                    "the shape of y to (n_samples,), for example using ravel().",
                    DataConversionWarning,
                    stacklevel=4,
                )
            return y
        if same_dtype and not np.can_cast(y.dtype, self.y_dtype_, "same_kind"):
            raise ValueError(
                f"Got y with dtype {y.dtype}, but this {name} expected {self.y_dtype_} and "
                f"casting from {y.dtype} to {self.y_dtype_} is not safe!"
            )
        if y.ndim != self.y_ndim_:
            raise ValueError(
                f"y has {y.ndim} dimensions, but this {name} is expecting {self.y_ndim_} "
                "dimensions in y."
            )
        return y

    def _has_one_label_a_row(self) -> bool:
        """Whether the fitted target encoder gives each row one class, two classes or more."""
        encoder = self.target_encoder_
        return isinstance(encoder, ClassifierLabelEncoder) and getattr(
            encoder, "_target_type", None
        ) in ("binary", "multiclass")

    def _fit_encoders(self, X: Any, y: Any) -> None:
        for encoder, values in (("target_encoder", y), ("feature_encoder", X)):
            fitted = getattr(self, encoder).fit(values)
            setattr(self, f"{encoder}_", fitted)
            vars(self).update(getattr(fitted, "get_metadata", dict)())

    # ------------------------------------------------------------------ network

    def _check_model_param(self) -> Callable[..., keras.Model]:
        """Return what builds the network: SciKeras' rule, any callable, or the built-in one."""
        if isinstance(self.model, keras.Model):
            return functools.partial(copy_network, self.model)
        if self._network_function() is None:
            return self._built_in_network
        if callable(self.model) and not isinstance(self.model, type):
            if hasattr(self, "_keras_build_fn"):
                return super()._check_model_param()
            return self.model
        return super()._check_model_param()

    def _built_in_network(self) -> keras.Model:
        raise NotImplementedError

    def _compile_loss(self) -> Any:
        """Return the loss that compiles the network: an instance, or what `loss` says."""
        raise NotImplementedError

    def _get_compile_kwargs(self) -> dict[str, Any]:
        """SciKeras' compile arguments with a loss of this package in place of its name."""
        loss = self._compile_loss()
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        if loss is None or isinstance(loss, losses.PointwiseLoss):
            for name in [n for n in vars(view) if n.startswith("loss__")]:
                delattr(view, name)
        view.loss = loss
        return KerasClassifier._get_compile_kwargs(view)

    def _new_network(self) -> keras.Model:
        """Build the network and see that it is compiled, with a loss and an optimizer."""
        self._random_state = None  # seeds are set by the caller, without SciKeras' switches
        network = self._build_keras_model()
        if not isinstance(network, keras.Model):
            raise TypeError(
                f"`model` returned {type(network).__name__}; it must return a keras.Model."
            )
        self.model_ = network
        self._ensure_compiled_model()
        return network

    def _network_was_passed_compiled(self) -> bool:
        return isinstance(self.model, keras.Model) and bool(self.model.compiled)

    # ------------------------------------------------------------------ calls of Keras

    @contextmanager
    def _callbacks_around(self, ours: list[keras.callbacks.Callback]) -> Iterator[None]:
        """Fresh callbacks from the parameters, ours first, for the time of a training."""
        self._initialize_callbacks()
        self._fit_callbacks = [*ours, *self._fit_callbacks]
        try:
            yield
        finally:
            del self._fit_callbacks, self._predict_callbacks

    def _keras_predict(self, X: Any, arguments: dict[str, Any]) -> Any:
        """Call Keras' own ``predict`` with the routed arguments; X is validated."""
        self._initialize_callbacks()
        try:
            return self._predict_raw(X, **arguments)
        finally:
            del self._fit_callbacks, self._predict_callbacks

    def _wants_keras_predict(self, arguments: dict[str, Any]) -> bool:
        """Whether the user asks for something that only Keras' ``predict`` does."""
        if arguments or any(n.startswith("predict__") for n in vars(self)):
            return True
        return isinstance(self.callbacks, dict | list | type | keras.callbacks.Callback) and any(
            _hears_predictions(callback) for callback in _flat(self.callbacks)
        )


def _is_routed(name: str) -> bool:
    return any(name.startswith(f"{prefix}__") for prefix in _PREFIXES)


def _accepts(function: Any, name: str) -> bool | None:
    """Whether a network function takes ``name``; False when there is none, None if it does not."""
    if function is None or isinstance(function, keras.Model) or not callable(function):
        return False
    parameters = inspect.signature(function).parameters.values()
    if any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    return None


def _flat(callbacks: Any) -> Iterator[Any]:
    if isinstance(callbacks, dict):
        callbacks = list(callbacks.values())
    if isinstance(callbacks, list):
        for callback in callbacks:
            yield from _flat(callback)
    else:
        yield callbacks


def _hears_predictions(callback: Any) -> bool:
    cls = callback if isinstance(callback, type) else type(callback)
    base = keras.callbacks.Callback
    hooks = [h for h in dir(base) if h.startswith("on_predict")]
    return any(getattr(cls, hook, None) is not getattr(base, hook) for hook in hooks)
