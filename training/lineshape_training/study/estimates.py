"""Scores of held-out predictions with intervals over groups.

Whole groups are drawn with replacement. A draw is a vector of weights, one for each group, and every score here is
computed for all draws at once from weighted counts. All predictions of the same rows share these weights, so the
interval of a difference is that of a paired comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

from lineshape.results import Interval

DRAWS = 2000
LEAST_SPREAD = 1e-9
Draws = NDArray[np.float64]  # [1 + DRAWS]: the score of the sample itself, then of each draw


@dataclass(frozen=True, eq=False)
class Predicted:
    """Held-out predictions of all folds.

    Parameters
    ----------
    truth : int [n] or float64 [n]
        Index of the class, or the amount.
    answer : float64 [n, K] or [n, 1]
        Score of every class, or the amount.
    weights : float64 [1 + DRAWS, n]
        Of the rows in every draw; see `drawn`.
    """

    truth: NDArray[np.int64] | NDArray[np.float64]
    answer: Float[np.ndarray, "n K"]
    weights: Float[np.ndarray, "draws n"]


def drawn(group: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, "draws n"]:
    """How often each row counts, in the sample itself and in every draw of groups."""
    names, index = np.unique(group, return_inverse=True)
    times = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    return np.asarray(np.concatenate([np.ones((1, len(names))), times])[:, index])


def class_scores(predicted: Predicted, rare: int) -> dict[str, Draws]:
    """Balanced accuracy, macro F1, macro AUC, and recall and AUPRC of the rare class; all 0 to 1, larger is better."""
    weights, truth, answer = predicted.weights, predicted.truth, predicted.answer
    classes = answer.shape[1]
    confusion = np.stack([weights @ _cells(truth, answer, row) for row in range(classes)], axis=1)
    hits, of_truth, of_answer = np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(2), confusion.sum(1)
    curves = [_ranked(answer[:, k], truth == k, weights) for k in range(classes)]
    return {
        "balanced accuracy": _mean(_share(hits, of_truth)),
        "macro F1": _mean(_share(2 * hits, of_truth + of_answer)),
        "macro AUC": _mean(np.stack([auc for auc, _ in curves], axis=1)),
        "rare recall": _share(hits, of_truth)[:, rare],
        "rare AUPRC": curves[rare][1],
    }


def amount_scores(predicted: Predicted) -> dict[str, Draws]:
    """RMSEP (in the analyte's unit, smaller is better) and R2 (at most 1, larger is better)."""
    weights, truth = predicted.weights, predicted.truth
    total, centred = weights.sum(1), truth - truth.mean()
    squares, around = weights @ (predicted.answer[:, 0] - truth) ** 2, weights @ centred**2
    spread = around - (weights @ centred) ** 2 / total
    spread[spread < LEAST_SPREAD * around] = 0  # what rounding leaves of amounts that are all alike
    return {"RMSEP": np.sqrt(squares / total), "R2": 1 - _share(squares, spread)}


def interval(draws: Draws) -> Interval:
    """The score with its 95 % percentile interval, to four digits; draws without what the score needs do not count."""
    low, high = np.nanquantile(draws[1:], [0.025, 0.975])
    return Interval(*(float(f"{x:.4g}") for x in (draws[0], low, high)))


def p_value(difference: Draws) -> float:
    """Two-sided bootstrap probability of no difference, from 2 / (DRAWS + 1) to 1."""
    drawn = difference[1:][~np.isnan(difference[1:])]
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))


def _cells(truth: Int[np.ndarray, " n"], answer: Float[np.ndarray, "n K"], row: int) -> Float[np.ndarray, "n K"]:
    """One row of the confusion matrix as indicators: truth is `row`, and the largest score is that of a column."""
    return np.asarray(np.eye(answer.shape[1])[answer.argmax(1)] * (truth == row)[:, None])


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _mean(by_class: NDArray[np.float64]) -> Draws:
    """Mean over the classes for which a draw has an answer."""
    there = ~np.isnan(by_class)
    return _share(np.where(there, by_class, 0).sum(1), there.sum(1).astype(np.float64))


def _ranked(score: Float[np.ndarray, " n"], positive: NDArray[np.bool_],
            weights: Float[np.ndarray, "draws n"]) -> tuple[Draws, Draws]:  # fmt: skip
    """AUC and average precision of one class; equal scores count as one step of the curve."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    ranked = weights[:, order]
    hits = np.add.reduceat(ranked * positive[order], starts, axis=1)
    misses = np.add.reduceat(ranked, starts, axis=1) - hits  # whole numbers: exact
    found, missed = hits.cumsum(1), misses.cumsum(1)
    pairs = (misses * (found - hits / 2)).sum(1)
    precision = _share(found, found + missed)
    area = _share(pairs, found[:, -1] * missed[:, -1])
    average = _share((hits * np.nan_to_num(precision)).sum(1), found[:, -1])
    return area, average
