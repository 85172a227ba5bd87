"""What training looked like, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from wbce._scored_rows import fitted_classifier
from wbce.plotting._style import BLUE, GREEN, GREY, ORANGE, ink, stacked_axes

_PANELS = (
    ("Training loss", ("loss", "val_loss")),
    ("Log loss", ("val_log_loss",)),
    ("Average precision", ("val_average_precision",)),
)
_WORDS = {
    "loss": "training rows",
    "val_loss": "validation rows",
    "val_log_loss": "validation rows",
    "val_average_precision": "validation rows",
}
_STYLES: dict[str, dict[str, Any]] = {
    "loss": {"color": BLUE},
    "val_loss": {"color": ORANGE, "linestyle": (0, (6, 2))},
    "val_log_loss": {"color": ORANGE, "linestyle": (0, (6, 2))},
    "val_average_precision": {"color": GREEN, "linestyle": (0, (6, 2))},
}


class TrainingHistoryDisplay:
    """Loss and validation scores against the epoch, and the epoch whose weights were kept.

    The training loss is the weighted one, the validation log loss that of the mapped
    probabilities, so the two have a panel each.

    Parameters
    ----------
    history : dict of list
        ``history_`` of an estimator, or ``history`` of what Keras' ``fit`` returns.
    best_epoch : int, optional
        Counted from 1.
    name : str, default="classifier"

    Attributes
    ----------
    history, best_epoch, name
        As passed.
    lines_ : dict of matplotlib lines
        By name in `history`.
    best_epoch_lines_ : list of matplotlib lines
    axes_ : list of matplotlib axes
    ax_ : matplotlib axes
        The first of them.
    figure_ : matplotlib figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from wbce.plotting import TrainingHistoryDisplay
    >>> history = {"loss": [0.9, 0.6, 0.5], "val_log_loss": [0.5, 0.3, 0.4]}
    >>> display = TrainingHistoryDisplay(history, best_epoch=2).plot()
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['Training loss', 'Log loss']
    """

    lines_: dict[str, Any]
    best_epoch_lines_: list[Any]
    axes_: list[Any]
    ax_: Any
    figure_: Any

    def __init__(
        self,
        history: Mapping[str, Sequence[float]],
        best_epoch: int | None = None,
        name: str = "classifier",
    ) -> None:
        self.history, self.best_epoch, self.name = dict(history), best_epoch, name
        if not self.history or not all(len(values) for values in self.history.values()):
            raise ValueError(
                "The history is empty: no epoch was run. Pass history_ of an estimator after fit, "
                "such as {'loss': [0.7, 0.5], 'val_log_loss': [0.6, 0.5]}."
            )

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **line: Any
    ) -> Self:
        """Draw the training of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            A ``WeightedKerasClassifier``, a Pipeline that ends in one, or a search over either.
        name : str, optional
            By default the class's name.
        ax : matplotlib axes, optional
            In whose place the panels are drawn; by default on a new figure.
        **line
            For Matplotlib's ``plot`` of every line.

        Returns
        -------
        display

        Raises
        ------
        TypeError, ValueError
            If the estimator has no history.
        ImportError
            Without Matplotlib.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> from wbce.plotting import TrainingHistoryDisplay
        >>> X, y = make_classification(600, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=5, random_state=0).fit(X, y)
        >>> TrainingHistoryDisplay.from_estimator(clf, ax=Figure().subplots()).best_epoch
        5
        """
        classifier = fitted_classifier(estimator)
        check_is_fitted(classifier)
        if not hasattr(classifier, "history_"):
            raise TypeError(
                f"{type(classifier).__name__} has no history_: pass a fitted "
                "WeightedKerasClassifier, or what Keras' fit returns to "
                "TrainingHistoryDisplay(history.history)."
            )
        best = getattr(classifier, "best_epoch_", None)
        display = cls(classifier.history_, best, name or type(classifier).__name__)
        return display.plot(ax=ax, **line)

    def plot(self, ax: Any = None, *, name: str | None = None, **line: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            In whose place the panels are drawn; by default on a new figure.
        name : str, optional
            The title.
        **line
            For Matplotlib's ``plot`` of every line.

        Returns
        -------
        self
        """
        panels = [(title, [key for key in keys if key in self.history]) for title, keys in _PANELS]
        known = {key for _, keys in panels for key in keys}
        panels += [(key, [key]) for key in self.history if key not in known and self._is_line(key)]
        panels = [(title, keys) for title, keys in panels if keys]
        self.axes_ = stacked_axes(ax, len(panels))
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.name = name or self.name
        self.lines_, self.best_epoch_lines_ = {}, []
        for panel, (title, keys) in zip(self.axes_, panels, strict=True):
            for key in keys:
                self._draw(panel, key, line)
            self._mark_best(panel, keys[-1])
            panel.set_ylabel(title)
            panel.margins(y=0.12)
            panel.legend(loc="best", frameon=False)
            panel.tick_params(labelbottom=panel is self.axes_[-1])
        self.axes_[-1].set_xlabel("Epoch")
        self.axes_[-1].xaxis.get_major_locator().set_params(integer=True)
        self.ax_.set_title(self.name)
        return self

    def _is_line(self, key: str) -> bool:
        return np.ndim(self.history[key]) == 1

    def _draw(self, panel: Any, key: str, line: dict[str, Any]) -> None:
        values = np.asarray(self.history[key], dtype=np.float64)
        style = {"color": GREY, "label": _WORDS.get(key, key)} | _STYLES.get(key, {})
        if len(values) == 1:
            style["marker"] = "o"
        (self.lines_[key],) = panel.plot(np.arange(1, len(values) + 1), values, **(style | line))

    def _mark_best(self, panel: Any, key: str) -> None:
        if self.best_epoch is None or not self.best_epoch >= 1:
            return
        words = f"kept: epoch {self.best_epoch}"
        self.best_epoch_lines_.append(
            panel.axvline(self.best_epoch, color=ink(panel), linewidth=1, label=words)
        )
        values = self.history[key]
        if self.best_epoch <= len(values):
            panel.plot(
                [self.best_epoch],
                [values[self.best_epoch - 1]],
                marker="o",
                color=self.lines_[key].get_color(),
                markeredgecolor="black",
                linestyle="none",
                zorder=5,
            )
