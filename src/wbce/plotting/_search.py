"""What a search over two parameters found, as a grid."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wbce._numbers import is_number
from wbce.plotting._style import ink, new_axes, readable_on


class SearchGridDisplay:
    """Mean test score of a search for every pair of two parameters' values.

    The colours span two standard deviations over the splits, or more: pairs that differ by less
    than chance have nearly the same.

    Parameters
    ----------
    scores, spread : ndarray of shape (n_y, n_x)
        Mean score, and its standard deviation over the splits; NaN for pairs that were not tried.
    x, y : str
        Names of the parameters; `y` is empty for a search over one.
    x_values, y_values : list
        Their values.
    metric : str
        Name of the score.
    chosen : tuple of int, optional
        Row and column of what the search chose, where it did not choose the best mean score.

    Attributes
    ----------
    scores, spread, x, y, x_values, y_values, metric, chosen
        As passed.
    best : tuple of int
        Row and column of what the search chose; of the best mean score, where that is not known.
    image_ : matplotlib image
    text_ : ndarray of matplotlib texts, shape (n_y, n_x)
        None where no pair was tried.
    frame_ : matplotlib patch
        Around `best`.
    ax_, figure_ : matplotlib axes and figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from wbce.plotting import SearchGridDisplay
    >>> results = {
    ...     "params": [{"pos_weight": w, "gamma": g} for w in (1, 5) for g in (0, 2)],
    ...     "mean_test_score": [0.5, 0.6, 0.7, 0.65],
    ...     "std_test_score": [0.02, 0.01, 0.03, 0.02],
    ... }
    >>> display = SearchGridDisplay.from_results(results)
    >>> display.x_values, display.y_values, display.best
    ([1, 5], [0, 2], (0, 1))
    >>> from matplotlib.figure import Figure
    >>> _ = display.plot(ax=Figure().subplots())  # on axes of yours
    """

    image_: Any
    text_: NDArray[Any]
    frame_: Any
    ax_: Any
    figure_: Any

    def __init__(
        self,
        scores: NDArray[np.float64],
        spread: NDArray[np.float64],
        x: str,
        y: str,
        x_values: list[Any],
        y_values: list[Any],
        metric: str = "score",
        chosen: tuple[int, int] | None = None,
    ) -> None:
        self.scores, self.spread = scores, spread
        self.x, self.y, self.x_values, self.y_values = x, y, x_values, y_values
        self.metric, self.chosen = metric, chosen

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of what was chosen; of the best mean score, where that is not known."""
        if self.chosen is not None:
            return self.chosen
        row, column = np.unravel_index(np.nanargmax(self.scores), self.scores.shape)
        return int(row), int(column)

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        x: str = "pos_weight",
        y: str | None = "gamma",
        metric: str | None = None,
        ax: Any = None,
        **image: Any,
    ) -> Self:
        """Draw a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or the like
            With ``cv_results_``.
        x, y : str
            Names of the parameters across and upwards, by their last part where they belong to
            the step of a Pipeline: ``"gamma"`` finds ``"classifier__gamma"``. `y` None is a
            single row.
        metric : str, optional
            Which score, of a search with several.
        ax : matplotlib axes, optional
            By default those of a new figure.
        **image
            For Matplotlib's ``imshow``.

        Returns
        -------
        display

        Raises
        ------
        ValueError
            If the search was not run, or not over these parameters.
        ImportError
            Without Matplotlib.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import make_classification
        >>> from sklearn.model_selection import GridSearchCV
        >>> from wbce import WeightedKerasClassifier
        >>> from wbce.plotting import SearchGridDisplay
        >>> X, y = make_classification(600, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", loss="focal", epochs=3, random_state=0)
        >>> search = GridSearchCV(clf, {"pos_weight": [1, 9], "gamma": [0, 2]}, cv=2)
        >>> search = search.set_params(scoring="average_precision").fit(X, y)
        >>> SearchGridDisplay.from_estimator(search, ax=Figure().subplots()).scores.shape
        (2, 2)
        """
        results = getattr(search, "cv_results_", None)
        if results is None:
            raise ValueError(
                f"{type(search).__name__} has no cv_results_: pass a search, such as "
                "GridSearchCV, after fit."
            )
        metric = metric or _metric_of(search)
        display = cls._of(results, x, y, metric, _chosen_by(search, metric))
        if display.metric == "score" and isinstance(getattr(search, "scoring", None), str):
            display.metric = _words(search.scoring)
        return display.plot(ax=ax, **image)

    @classmethod
    def from_results(
        cls,
        results: Mapping[str, Any],
        *,
        x: str = "pos_weight",
        y: str | None = "gamma",
        metric: str = "score",
        ax: Any = None,
        **image: Any,
    ) -> Self:
        """Draw ``cv_results_``, or a table of the same form.

        Where other parameters were searched too, every pair shows its best score; of halving
        searches that of the last iteration it took part in.

        Parameters
        ----------
        results : dict
            With ``"params"``, ``"mean_test_score"`` and ``"std_test_score"``, or the last two of
            another metric.
        x, y, metric, ax, **image
            As in :meth:`from_estimator`.

        Returns
        -------
        display

        Raises
        ------
        ValueError
            If the parameters or the metric are not in it.
        """
        return cls._of(results, x, y, metric).plot(ax=ax, **image)

    @classmethod
    def _of(
        cls,
        results: Mapping[str, Any],
        x: str,
        y: str | None,
        metric: str,
        chosen: Mapping[str, Any] | None = None,
    ) -> Self:
        mean, std = f"mean_test_{metric}", f"std_test_{metric}"
        if mean not in results:
            known = [key.removeprefix("mean_test_") for key in results if "mean_test_" in key]
            raise ValueError(f"metric={metric!r} was not computed: pass one of {known}.")
        tried = list(results["params"])
        names = sorted({name for parameters in tried for name in parameters})
        x_name, y_name = _found(x, names), None if y is None else _found(y, names)
        x_values = _distinct([p[x_name] for p in tried if x_name in p])
        y_values = _distinct([p.get(y_name) for p in tried]) if y_name else [None]
        scores = np.full((len(y_values), len(x_values)), np.nan)
        spread = np.full(scores.shape, np.nan)
        for i in _last_of_each(results):
            parameters, score, deviation = tried[i], results[mean][i], results[std][i]
            if x_name not in parameters:
                continue
            place = _place(y_values, parameters.get(y_name)), _place(x_values, parameters[x_name])
            if not scores[place] >= score and not np.isnan(score):
                scores[place], spread[place] = score, deviation
        if np.isnan(scores).all():
            raise ValueError(
                "All scores of this search are NaN: every fit, or its scoring, failed. Fit one "
                "with error_score='raise' to see why."
            )
        cell: tuple[int, int] | None = None
        if chosen is not None and x_name in chosen:
            value = chosen.get(y_name) if y_name else None
            cell = _place(y_values, value), _place(x_values, chosen[x_name])
        return cls(scores, spread, x, y or "", x_values, y_values, _words(metric), cell)

    def plot(self, ax: Any = None, *, cmap: Any = "cividis", **image: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default those of a new figure.
        cmap : str or matplotlib colour map, default="cividis"
        **image
            For Matplotlib's ``imshow``.

        Returns
        -------
        self
        """
        from matplotlib.patches import Rectangle

        n_y, n_x = self.scores.shape
        self.ax_ = ax = new_axes(ax, figsize=(2.2 + 1.05 * n_x, 1.7 + 0.75 * n_y))
        self.figure_ = ax.figure
        low, high = self._range()
        options = {"cmap": cmap, "origin": "lower", "aspect": "auto", "vmin": low, "vmax": high}
        options |= image
        self.image_ = ax.imshow(self.scores, **options)
        self.text_ = np.array([[self._cell(ax, i, j) for j in range(n_x)] for i in range(n_y)])
        row, column = self.best
        corner = (column - 0.5, row - 0.5)
        self.frame_ = ax.add_patch(
            Rectangle(corner, 1, 1, fill=False, edgecolor=ink(ax), linewidth=3, clip_on=False)
        )
        ax.set_xticks(range(n_x), labels=[_value(v) for v in self.x_values])
        ax.set_yticks(range(n_y), labels=[_value(v) for v in self.y_values] if self.y else [""])
        ax.set(xlabel=self.x, ylabel=self.y, title=f"Mean {self.metric} ± standard deviation")
        return self

    def _range(self) -> tuple[float, float]:
        """What colours span: all scores, and no less than differences that splits alone make."""
        low, high = float(np.nanmin(self.scores)), float(np.nanmax(self.scores))
        spread = self.spread[np.isfinite(self.spread)]
        missing = 2 * float(np.median(spread)) - (high - low) if len(spread) else 0.0
        return low - max(0.0, missing) / 2, high + max(0.0, missing) / 2

    def _cell(self, ax: Any, i: int, j: int) -> Any:
        score = self.scores[i, j]
        if np.isnan(score):
            ax.text(j, i, "not tried", ha="center", va="center", color=ink(ax), fontsize="small")
            return None
        color = readable_on(self.image_.cmap(self.image_.norm(score)))
        weight = "bold" if (i, j) == self.best else "normal"
        words = f"{score:.3f}\n± {self.spread[i, j]:.3f}"
        return ax.text(j, i, words, ha="center", va="center", color=color, fontweight=weight)


def _metric_of(search: Any) -> str:
    """Which of its scores a search chose by."""
    if getattr(search, "multimetric_", False):
        if not isinstance(search.refit, str):
            raise ValueError(
                f"This search computed several scores, and refit={search.refit!r} names none: pass "
                f"metric, one of {sorted(search.scorer_)}."
            )
        return search.refit
    return "score"


def _chosen_by(search: Any, metric: str) -> Mapping[str, Any] | None:
    """What a search chose, if it did so by this score or by a function of its user's."""
    if not hasattr(search, "best_index_"):
        return None
    by_this = metric in ("score", search.refit) or callable(search.refit)
    return search.cv_results_["params"][search.best_index_] if by_this else None


def _last_of_each(results: Mapping[str, Any]) -> list[int]:
    """Which results to show: all, but of a halving search those with the most resources."""
    if "iter" not in results:
        return list(range(len(results["params"])))
    in_order = np.argsort(results["iter"], kind="stable").tolist()
    return sorted({repr(results["params"][i]): i for i in in_order}.values())


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _found(name: str, names: list[str]) -> str:
    fitting = [known for known in names if known == name or known.endswith(f"__{name}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ValueError(f"{name!r} may mean {fitting}: pass the whole name of one.")
    short = [known.rsplit("__", 1)[-1] for known in names]
    near = get_close_matches(name, short, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"The search was not over {name!r}, but over {names}.{hint} Pass x= and y=, two of them; "
        "or y=None, where there is one."
    )


def _distinct(values: list[Any]) -> list[Any]:
    """Numbers in order, then everything else as it came; values need not be hashable."""
    found: list[Any] = []
    for value in values:
        if _place(found, value) is None:
            found.append(value)
    numbers = [v for v in found if is_number(v)]
    return sorted(numbers) + [v for v in found if not is_number(v)]


def _place(values: list[Any], value: Any) -> Any:
    return next((i for i, v in enumerate(values) if v is value or repr(v) == repr(value)), None)


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
