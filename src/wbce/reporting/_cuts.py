"""Few cuts that stand for all: what the slider moves over, and curves are drawn through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbce._scored_rows import ScoredRows

Float64 = NDArray[np.float64]

_N_EVEN = 360
_N_BEST = 180
_FARTHEST = 16.0
"""Log-odds beyond which probabilities are not told apart on the page."""


@dataclass(frozen=True)
class Cuts:
    """Cuts in rising order, the counts of each exact.

    Attributes
    ----------
    log_odds : ndarray of shape (n_cuts,)
        In even steps, and between them those that some costs make best. The first calls all rows
        positive and the last none, but for probabilities that are zero or one to seven digits.
    tp, fp : ndarray of shape (n_cuts,)
    chosen : int or None
        The one at which the estimator decides; None where no cut of these probabilities does.
    half : int
        The one at one half.
    """

    log_odds: Float64
    tp: Float64
    fp: Float64
    chosen: int | None
    half: int


def cuts_of(rows: ScoredRows) -> Cuts:
    """Choose the cuts to show.

    Parameters
    ----------
    rows : ScoredRows

    Returns
    -------
    Cuts
        At most some six hundred.
    """
    decided = decided_at(rows)
    known = [0.0] if decided is None else [0.0, decided]
    low = max(-_FARTHEST, min(float(rows.log_odds.min()) - 0.1, *known, -1.0))
    high = min(_FARTHEST, max(float(rows.log_odds.max()) + 0.1, *known, 1.0))
    even = np.linspace(low, high, _N_EVEN)
    best = rows.curve.log_odds[_hull(rows.curve.tp, rows.curve.fp)]
    best = best[(best > low) & (best < high)]
    if len(best) > _N_BEST:
        best = best[np.linspace(0, len(best) - 1, _N_BEST).astype(int)]
    inside = [min(max(cut, low), high) for cut in known]
    log_odds = np.unique(np.concatenate([even, best, inside]))
    tp, fp = above(rows, log_odds)
    if decided is not None:
        place = int(np.searchsorted(log_odds, inside[-1]))
        found, alarmed, *_ = rows.counts
        tp[place], fp[place] = found, alarmed
    return Cuts(
        log_odds,
        tp,
        fp,
        None if decided is None else place,
        int(np.searchsorted(log_odds, 0.0)),
    )


def above(rows: ScoredRows, log_odds: Float64) -> tuple[Float64, Float64]:
    """True and false positives of rows with scores above some cuts."""
    curve = rows.curve
    # scores fall: so many of them are above
    n_above = np.searchsorted(-curve.scores, -log_odds)
    return curve.tp[n_above].copy(), curve.fp[n_above].copy()


def decided_at(rows: ScoredRows) -> float | None:
    """The log-odds above which the estimator calls rows positive; None where it is otherwise."""
    called, quiet = rows.log_odds[rows.called], rows.log_odds[~rows.called]
    least = called.min() if len(called) else np.inf
    most = quiet.max() if len(quiet) else -np.inf
    if rows.threshold is not None:
        with np.errstate(divide="ignore"):
            said = float(np.log(rows.threshold) - np.log1p(-rows.threshold))
        if most - 1e-6 <= said <= least + 1e-6:
            return said
    if most < least and len(called) and len(quiet):
        return float((most + least) / 2)
    return None


def _hull(tp: Float64, fp: Float64) -> NDArray[np.intp]:
    """Places of the corners of the upper convex hull: only those are best, whatever the costs."""
    # every hull corner ends a run of positives: all others are left out before the slow loop
    gains, pays = np.diff(tp, prepend=-1.0) > 0, np.diff(fp, append=fp[-1] + 1) > 0
    candidates = np.flatnonzero(gains & pays)
    kept: list[int] = []
    for i in candidates.tolist():
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            turns_left = (fp[b] - fp[a]) * (tp[i] - tp[b]) - (tp[b] - tp[a]) * (fp[i] - fp[b])
            if turns_left < 0:
                break
            kept.pop()
        kept.append(i)
    return np.array(kept, dtype=np.intp)
