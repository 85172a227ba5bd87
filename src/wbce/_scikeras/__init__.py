"""The seam to SciKeras, and to what changes or is private in scikit-learn.

SciKeras gives parameter routing, target encoders, metadata for network functions, callbacks and
the call of Keras' ``fit``. What its last release lacks on today's scikit-learn is mended here,
and only here: tags and the order of mixins, unknown keywords, validation of X and y, the
network's compilation, seeds and state without global switches. When upstream moves, this folder
shrinks.
"""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin

from wbce._backend import BaseWrapper
from wbce._scikeras._keras_arguments import check_keras_arguments, check_routed_arguments
from wbce._scikeras._keywords import Keywords
from wbce._scikeras._network import DEFAULT_LOSS, Network
from wbce._scikeras._state import State
from wbce._scikeras._validation import Validation

__all__ = [
    "DEFAULT_LOSS",
    "SciKerasClassifier",
    "check_keras_arguments",
    "check_routed_arguments",
]


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
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # of this class
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        return signature.replace(parameters=named[1:])


def _base_wrapper_tags(self: BaseWrapper) -> Any:
    return super(BaseWrapper, self).__sklearn_tags__()


# BaseWrapper still has the `_more_tags` of old, which scikit-learn accepts only beside this.
if "__sklearn_tags__" not in vars(BaseWrapper):
    BaseWrapper.__sklearn_tags__ = _base_wrapper_tags


class SciKerasClassifier(Keywords, Validation, Network, State, metaclass=_MixinsFirst):
    """SciKeras' classifier as today's scikit-learn expects a classifier to behave."""

    __repr__ = BaseEstimator.__repr__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._built_in() is not None
        tags.input_tags.categorical = self._built_in() is not None
        tags.target_tags.multi_output = False  # but for zeros and ones, a column for every label
        tags.classifier_tags.multi_label = True
        return tags
