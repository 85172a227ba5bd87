"""What is called what, at a threshold."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wbce._scored_rows import ScoredRows, check_threshold
from wbce.plotting._rows import RowsDisplay
from wbce.plotting._style import new_axes, readable_on


class ConfusionAtThresholdDisplay(RowsDisplay):
    """What rows are and what they are called, in numbers and as shares of each class.

    Colours show the share of the row's class, as numbers of a frequent class would drown a rare
    one.

    Parameters
    ----------
    rows : ScoredRows

    Attributes
    ----------
    confusion_matrix : ndarray of shape (2, 2)
        ``[[tn, fp], [fn, tp]]``, sums of sample weights.
    name : str
    threshold : float or None
        At which it was drawn; None for decisions that are not by a threshold.
    image_ : matplotlib image
    text_ : ndarray of matplotlib texts, shape (2, 2)
    ax_, figure_ : matplotlib axes and figure

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : For predictions as they are, of any number of classes.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from wbce.plotting import ConfusionAtThresholdDisplay
    >>> display = ConfusionAtThresholdDisplay.from_predictions(
    ...     [0, 0, 0, 1], [0.1, 0.2, 0.6, 0.4], at=0.3
    ... )
    >>> display.confusion_matrix.tolist()
    [[2.0, 1.0], [0.0, 1.0]]
    >>> from matplotlib.figure import Figure
    >>> _ = display.plot(ax=Figure().subplots())  # on axes of yours
    """

    confusion_matrix: NDArray[np.float64]
    image_: Any
    text_: NDArray[Any]

    def plot(
        self, ax: Any = None, *, at: float | None = None, cmap: Any = "Blues", **image: Any
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default those of a new figure.
        at : float, optional
            A threshold in place of the estimator's own.
        cmap : str or matplotlib colour map, default="Blues"
        **image
            For Matplotlib's ``imshow``.

        Returns
        -------
        self
        """
        check_threshold(at)
        self.ax_ = ax = new_axes(ax, figsize=(4.6, 4.2))
        self.figure_ = ax.figure
        self.threshold = self.rows.threshold if at is None else at
        tp, fp, fn, tn = self.rows.counts if at is None else _counts_at(self.rows, at)
        self.confusion_matrix = cells = np.array([[tn, fp], [fn, tp]])
        shares = cells / cells.sum(axis=1, keepdims=True)
        self.image_ = ax.imshow(shares, **({"cmap": cmap, "vmin": 0.0, "vmax": 1.0} | image))
        self.text_ = np.array(
            [[self._cell(ax, i, j, cells[i, j], shares[i, j]) for j in (0, 1)] for i in (0, 1)]
        )
        positive = str(self.rows.pos_label)
        other = self.rows.neg_label
        names = [f"not {positive}" if other is None else str(other), positive]
        ax.set_xticks([0, 1], labels=names)
        ax.set_yticks([0, 1], labels=names, rotation=90, va="center")
        title = "" if self.threshold is None else f"{positive} above {self.threshold:.3g}"
        ax.set(xlabel="Called", ylabel="Is", title=title)
        return self

    def _cell(self, ax: Any, i: int, j: int, count: float, share: float) -> Any:
        color = readable_on(self.image_.cmap(self.image_.norm(share)))
        number = f"{count:,.0f}" if count == round(count) else f"{count:,.1f}"
        words = f"{number}\n{share:.1%}"
        return ax.text(j, i, words, ha="center", va="center", color=color, fontsize="large")


def _counts_at(rows: ScoredRows, threshold: float) -> tuple[float, float, float, float]:
    called = rows.proba > threshold
    cells = (rows.positive & called, ~rows.positive & called)
    tp, fp = (float(rows.sample_weight[cell].sum()) for cell in cells)
    all_positive = float(rows.sample_weight[rows.positive].sum())
    return tp, fp, all_positive - tp, float(rows.sample_weight.sum()) - all_positive - fp
