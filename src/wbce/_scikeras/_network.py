"""The network: built, compiled with the right loss, trained and asked by Keras' own methods."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import FunctionType
from typing import Any

from scikeras._utils import route_params
from scikeras.utils import loss_name, metric_name

from wbce._backend import KerasClassifier, keras
from wbce._errors import DivergenceError
from wbce.losses import OwnLoss, loss_on_logits, resolve_loss
from wbce.losses._keras import keras_loss_class, takes_one_hot
from wbce.networks import BUILT_IN, OffsetRemover
from wbce.persistence import copy_network
from wbce.progress import FitProgress, is_live
from wbce.streams import Pools
from wbce.tracing import check_threads, repeated_names
from wbce.training import (
    CheckpointWish,
    Ended,
    GoodEpochs,
    NetworkTraining,
    ShownEpochs,
    ValidationScore,
    cannot_divide,
    needs_keras_fit,
    replicas_of,
    seeded,
)

DEFAULT_LOSS = "weighted_bce"
ENSEMBLE_LEARNING_RATE = 3e-3
# Adam would move the weights of rare columns as fast as those of frequent ones, and learn rows by
# heart; rows have the length one, to which rates for gradient descent refer.
SPARSE_LEARNING_RATES = {"linear": 4.0, "mlp": 0.1}


class Network(KerasClassifier):
    """From parameters to a compiled network, and the calls of Keras."""

    _fit_callbacks: list[Any]
    _progress: FitProgress
    history_: Any
    _compiled_on_arrival: bool
    _loss_as_given: Any
    _loss_was_told: set[str]  # what of the loss is ours to change, and not the user's
    _input_columns: tuple[list[int], list[bool]]  # categories of each; whether values are missing
    _optimizer_slots: Any  # where Keras' optimizer has none of its own

    def _check_model_param(self) -> Callable[..., keras.Model]:
        """Return what builds the network: SciKeras' rule, any callable, or the built-in one."""
        if isinstance(self.model, keras.Model):
            return lambda: self.model
        if self._built_in() is not None:
            return self._built_in_network()
        if callable(self.model) and not isinstance(self.model, type):
            if hasattr(self, "_keras_build_fn"):
                return super()._check_model_param()
            return self.model
        return super()._check_model_param()

    def _get_compile_kwargs(self) -> dict[str, Any]:
        """SciKeras' compile arguments with a loss of this package in place of its name."""
        loss = self._compile_loss()
        view = self._view()
        if loss is None or isinstance(loss, OwnLoss):
            for name in [n for n in vars(view) if n.startswith("loss__")]:
                delattr(view, name)
        view.loss = _classes_of_names(loss)
        if view.optimizer == "auto":
            view.optimizer, routed = self._automatic_optimizer()
            vars(view).update({k: v for k, v in routed.items() if not hasattr(view, k)})
        if isinstance(view.optimizer, keras.optimizers.Optimizer):  # one serves one network only
            view.optimizer = type(view.optimizer).from_config(view.optimizer.get_config())
        return KerasClassifier._get_compile_kwargs(view)

    def _automatic_optimizer(self) -> tuple[str, dict[str, Any]]:
        """What ``"auto"`` is, with routed arguments that the user's own take the place of."""
        network = self._built_in()
        if network is None:
            return "adam", {}
        if self._sparse_rows:
            rate = SPARSE_LEARNING_RATES[network]
            routed = {"learning_rate": rate, "momentum": 0.9, "nesterov": True}
            if not any(hasattr(self, f"optimizer__{name}") for name in ("clipnorm", "clipvalue")):
                routed["global_clipnorm"] = 1.0  # a rare row of a large weight is no leap
            return "sgd", {f"optimizer__{name}": value for name, value in routed.items()}
        if network == "ensemble":
            return "adam", {"optimizer__learning_rate": ENSEMBLE_LEARNING_RATE}
        return "adam", {}

    def _new_network(self, copied: bool) -> keras.Model:
        """Build the network and see that it is compiled, with a loss and an optimizer.

        A network that was passed is copied where it will be trained; one that Keras cannot copy
        is trained as it is.
        """
        self._random_state = None  # seeds are set by the caller, without SciKeras' switches
        try:
            with repeated_names():
                network = self._build_keras_model()
        except ValueError as error:
            if "unique" not in str(error):
                raise
            network = self._build_keras_model()  # with layers that had such a name already
        if not isinstance(network, keras.Model):
            raise TypeError(
                f"`model` returned {type(network).__name__}; it must return a keras.Model."
            )
        if network is self.model and copied:
            try:
                network = copy_network(network)
            except (TypeError, ValueError):
                network = self.model
        self.model_ = network
        self._compiled_on_arrival = bool(network.compiled)
        self._loss_was_told = set()
        with repeated_names():
            self._ensure_compiled_model()
        self._loss_as_given = _given(self.model_.loss)
        return network

    def _follow_loss(self) -> None:
        """Where training goes on, with another loss than before if the parameters say another."""
        loss = None if self._compiled_on_arrival else self._compile_loss()
        if not isinstance(loss, OwnLoss) or _given(loss) == self._loss_as_given:
            return
        if not isinstance(self.model_.loss, OwnLoss):
            raise ValueError(
                f"loss={self.loss!r}, but the network that training goes on with was compiled with "
                f"{self.model_.loss!r}. Set warm_start=False to start anew."
            )
        loss.from_logits = self.model_.loss.from_logits
        arguments = self._get_compile_kwargs()
        arguments.update(loss=loss, optimizer=self.model_.optimizer)
        self.model_.compile(**arguments)
        self._loss_as_given, self._loss_was_told = _given(loss), set()

    def _tell_keras_loss_of_logits(self) -> None:
        """Have a Keras loss read logits as logits; by default it takes them for probabilities."""
        loss = self.model_.loss
        told = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
        if told.get("from_logits") is not False and not isinstance(loss, str | FunctionType):
            return
        with_logits = loss_on_logits(loss)
        if with_logits is None:
            return
        if self._compiled_on_arrival:
            raise ValueError(
                f"The network ends in logits, but it was compiled with {loss!r}, which takes them "
                "for probabilities. Compile it with from_logits=True, or end it in a sigmoid or "
                "softmax."
            )
        arguments = self._get_compile_kwargs()
        arguments["loss"] = with_logits
        self.model_.compile(**arguments)

    def _network_was_passed_compiled(self) -> bool:
        return isinstance(self.model, keras.Model) and bool(self.model.compiled)

    def _compile_loss(self) -> Any:
        if self.loss is None:
            return None
        loss = self._named_loss()
        if loss is None:
            return self.loss
        if not (self._has_one_label_a_row() or self._has_several_labels()):
            if self.loss == DEFAULT_LOSS:
                return None  # the network function's own choice
            raise ValueError(
                f"loss={self.loss!r} is for one label a row, or a matrix of zeros and ones, but y "
                f"is {self.target_type_!r}. Pass a Keras loss, such as "
                "'binary_crossentropy', or a compiled network."
            )
        return type(loss).from_config(loss.get_config())  # it is told what the network ends in

    def _checked_loss(self) -> OwnLoss | None:
        """The loss before it is known whether y has classes or labels: as whichever it can be."""
        try:
            return self._named_loss(multi_label=False)
        except ValueError as error:
            try:
                return self._named_loss(multi_label=True)
            except ValueError:
                raise error from None

    def _named_loss(self, name: Any = None, multi_label: bool | None = None) -> OwnLoss | None:
        """Resolve `loss` to a loss of this package; None where it is Keras' own."""
        if multi_label is None:
            multi_label = self._has_several_labels()
        routed = {
            key.removeprefix("loss__"): value
            for key, value in self.__dict__.items()
            if key.startswith("loss__")
        }
        defaults = {
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
            "cost_matrix": self.cost_matrix,
            "multi_label": multi_label,
        }
        return resolve_loss(self.loss if name is None else name, defaults, routed)

    @property
    def target_encoder(self) -> Any:
        """SciKeras' encoder, which knows of one loss that takes one-hot rows; there are more."""
        encoder = super().target_encoder
        if takes_one_hot(self.loss):
            encoder.set_params(loss="categorical_crossentropy")
        return encoder

    @property
    def feature_encoder(self) -> Any:
        """The identity; for the built-in network, without offsets that float32 cannot hold."""
        if self._built_in() is not None:
            return OffsetRemover()
        return super().feature_encoder

    def _built_in_network(self) -> Callable[..., keras.Model]:
        """What builds the named network, with arguments left that ``model__*`` may give."""
        if not (self._has_one_label_a_row() or self._has_several_labels()):
            raise ValueError(
                f"The built-in network is for one label a row, or a matrix of zeros and ones, but "
                f"y is {self.target_type_!r}. Pass a network as `model`."
            )
        several = self._has_several_labels()
        return partial(
            BUILT_IN[str(self._built_in())],
            self.X_shape_[1:],
            1 if self.n_classes_ == 2 and not several else self.n_classes_,
            multi_label=several,
            **({"sparse": True} if self._sparse_rows else {"columns": self._input_columns}),
        )

    def _ensure_compiled_model(self) -> None:
        if (
            not self.model_.compiled
            and self.loss is None
            and (self._has_one_label_a_row() or self._has_several_labels())
        ):
            arguments = self._get_compile_kwargs()
            arguments["loss"] = self._named_loss(DEFAULT_LOSS)
            self.model_.compile(**arguments)
        super()._ensure_compiled_model()

    def _check_model_compatibility(self, y: Any) -> None:
        """Refuse a compiled network that contradicts what the parameters say."""
        expected = getattr(self, "n_outputs_expected_", None)
        outputs = getattr(self.model_, "outputs", None)
        if expected and outputs is not None and len(outputs) != expected:
            raise ValueError(
                f"Detected a Keras model input of size {expected}, but the network has "
                f"{len(outputs)} outputs."
            )
        compiled = self.model_.loss
        ours = None if self.loss is None else self._named_loss()
        if ours is None:
            _check_keras_loss(self.loss, compiled)
            return
        said = self.loss != DEFAULT_LOSS or self.label_smoothing != 0
        if said and not _same_loss(ours, compiled):
            raise ValueError(
                f"loss={self.loss!r} (label_smoothing={self.label_smoothing}), but the model "
                f"arrived compiled with {compiled!r}. Leave the network uncompiled, compile it "
                "with compile_kwargs['loss'], or leave loss at its default."
            )
        if self._network_was_passed_compiled() and self.optimizer not in ("auto", "adam"):
            wanted = type(self._get_compile_kwargs()["optimizer"])
            if not isinstance(self.model_.optimizer, wanted):
                raise ValueError(
                    f"optimizer={self.optimizer!r}, but the model arrived compiled with "
                    f"{type(self.model_.optimizer).__name__}. Leave one of the two out."
                )

    def _has_several_labels(self) -> bool:
        """Whether y is a matrix of zeros and ones, a column for every label."""
        return getattr(self, "target_type_", None) == "multilabel-indicator"

    @contextmanager
    def _callbacks_around(
        self, ours: list[keras.callbacks.Callback], passed: Any
    ) -> Iterator[None]:
        """Fresh callbacks from the parameters, ours first, for the time of a training."""
        self._initialize_callbacks()
        theirs = [*self._fit_callbacks, *_flat(passed or [])]
        self._fit_callbacks = [*ours, *theirs]
        try:
            yield
        finally:
            del self._fit_callbacks, self._predict_callbacks
            for callback in _flat(theirs):  # or a clone would carry the trained network along
                keras.callbacks.Callback.set_model(callback, None)

    def _fit_network(
        self,
        X: Any,
        y: Any,
        *,
        seed: int,
        keep_state: bool,
        rows_of_members: Any = None,
        checkpoint: CheckpointWish | None = None,
        depends_on: dict[str, Any] | None = None,
        pools: Pools | None = None,
        **arguments: Any,
    ) -> Ended:
        """Train the network, by one compiled function or, for what only it can do, Keras' ``fit``.

        Returns
        -------
        Ended
            With Keras' history.
        """
        check_threads()
        routed = route_params(
            self.get_params(deep=False), destination="fit", pass_filter=self._fit_kwargs
        )
        arguments = {**routed, **arguments, "callbacks": [*_flat(self._fit_callbacks)]}
        arguments = {k: v for k, v in arguments.items() if not k.startswith("callbacks__")}
        if is_live(arguments.get("verbose")):  # by our own line
            arguments["verbose"] = 0
        network = self.model_
        with seeded(seed):
            reason = needs_keras_fit(network, X, y, arguments)
            if reason is not None and rows_of_members is not None:
                raise ValueError(
                    "The members of the built-in network each hold other rows out, which Keras' "
                    f"own fit cannot do, and it is needed for this: {reason}. Pass X_val and "
                    'y_val, early_stopping=False, or model="mlp".'
                )
            if reason is not None and pools is not None:
                raise ValueError(
                    "X is a stream, which Keras' own fit would hold in memory, and it is needed "
                    f"for this: {reason}. Do without that, or pass rows in memory."
                )
            if reason is not None and checkpoint is not None:
                raise ValueError(
                    f"checkpoint={os.fspath(checkpoint.folder)!r} goes on exactly where a fit was, "
                    f"which Keras' own fit cannot do, and it is needed for this: {reason}. Pass "
                    "checkpoint=None, or do without that."
                )
            if pools is not None and self.distribute is not None:
                raise ValueError(
                    f"distribute={self.distribute!r} divides rows in memory among replicas, and X "
                    "is a stream. Pass distribute=None, or rows in memory."
                )
            if reason is not None and self.distribute is not None:
                raise ValueError(
                    f"distribute={self.distribute!r} divides each step's rows among replicas, "
                    f"which Keras' own fit does not, and it is needed for this: {reason}. Pass "
                    "distribute=None, or do without that."
                )
            if reason is not None:
                return self._fit_by_keras(X, y, arguments)
            replicas = replicas_of(self.distribute)
            obstacle = cannot_divide(network) if self.distribute is not None else None
            if obstacle is not None:
                raise ValueError(
                    f"distribute={self.distribute!r} divides each step's rows among replicas, but "
                    f"{obstacle}; or pass distribute=None."
                )
            training = NetworkTraining(
                network,
                X,
                y,
                arguments,
                keep_state,
                rows_of_members,
                checkpoint,
                depends_on,
                replicas,
                pools,
                self._progress,
            )
        with seeded(seed) if training.runs_users_code else nullcontext(), replicas.training():
            ended = training.run(seed)
        self._optimizer_slots = training.slots
        return ended

    def _fit_by_keras(self, X: Any, y: Any, arguments: dict[str, Any]) -> Ended:
        theirs = arguments["callbacks"]
        scorers = [c for c in theirs if isinstance(c, ValidationScore)]
        good = GoodEpochs(scorers)
        n_rows = keras.tree.flatten(X)[0].shape[0]
        shown = ShownEpochs(self._progress, n_rows, arguments, scorers)
        arguments = {**arguments, "callbacks": [good, *theirs, shown]}
        try:
            history = self.model_.fit(X, y, **arguments).history
        except (KeyboardInterrupt, DivergenceError) as fault:
            ended = good.go_back(fault)
            for callback in theirs:
                callback.on_train_end()
            return ended
        return Ended(history)

    def _note_history(self, history: dict[str, list[float]], going_on: bool) -> None:
        """Store Keras' history under SciKeras' names, after what is there if training goes on."""
        if not going_on or not hasattr(self, "history_"):
            self.history_ = defaultdict(list)
        for name, values in history.items():
            if name != "loss" and not name.startswith("val_"):
                with suppress(ValueError):  # a metric of the user's keeps its name
                    name = metric_name(name)
            self.history_[name] += values

    def _keras_predict(
        self, X: Any, arguments: dict[str, Any], ours: list[keras.callbacks.Callback]
    ) -> Any:
        """Call Keras' own ``predict`` with the routed arguments; X is validated."""
        check_threads()
        view = self._view()  # threads share the estimator
        view._initialize_callbacks()
        view._predict_callbacks = [*_flat(view._predict_callbacks), *ours]
        try:
            return view._predict_raw(X, **arguments)
        finally:
            for callback in _flat(view._predict_callbacks):
                keras.callbacks.Callback.set_model(callback, None)

    def _view(self) -> Any:
        """A second estimator on the same state, whose attributes can be set without harm."""
        if self._has_network():
            _ = self.model_  # made now, if it is data still, and not anew in every view
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        return view

    def _wants_keras_predict(self, arguments: dict[str, Any]) -> bool:
        """Whether the user asks for something that only Keras' ``predict`` does."""
        if arguments or "predict__" in " ".join(self.__dict__):
            return True
        return isinstance(self.callbacks, dict | list | type | keras.callbacks.Callback) and any(
            _hears_predictions(callback) for callback in _flat(self.callbacks)
        )


def _given(loss: Any) -> Any:
    """What a loss of this package was given as arguments; None for others."""
    if not isinstance(loss, OwnLoss):
        return None
    varying = ("name", "from_logits")
    return type(loss), {k: v for k, v in loss.get_config().items() if k not in varying}


def _same_loss(ours: OwnLoss, compiled: Any) -> bool:
    return bool(_given(ours) == _given(compiled))


def _classes_of_names(loss: Any) -> Any:
    """Keras' loss classes in place of their names: only classes take routed parameters."""
    if isinstance(loss, list | tuple):
        return type(loss)(_classes_of_names(item) for item in loss)
    if isinstance(loss, dict):
        return {key: _classes_of_names(item) for key, item in loss.items()}
    return (keras_loss_class(loss) or loss) if isinstance(loss, str) else loss


def _check_keras_loss(given: Any, compiled: Any) -> None:
    """Raise if a Keras loss was asked for and the network was compiled with another."""
    classes = [keras_loss_class(loss) for loss in (given, compiled)]
    if classes[0] is not None and classes[0] is classes[1]:
        return
    one_each = all(isinstance(loss, str | type | keras.losses.Loss) for loss in (given, compiled))
    if given is not None and one_each and loss_name(given) != loss_name(compiled):
        raise ValueError(
            f"loss={given!r} but model compiled with {compiled!r}. Data may not match loss "
            "function! Leave one of the two out."
        )


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
