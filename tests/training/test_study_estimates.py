"""Scores and their intervals: scikit-learn's figures, for the sample and for every draw of groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from lineshape_training.study.estimates import DRAWS, Predicted, amount_scores, class_scores, drawn, interval, p_value

EXACT = 1e-9  # the order of sums of float64
pytestmark = pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")


def of_groups(truth: np.ndarray, answer: np.ndarray, group: np.ndarray) -> Predicted:
    return Predicted(truth, answer, drawn(group))


def classes(seed: int, groups: int = 6, of_group: int = 4, kinds: int = 3, steps: int = 5) -> Predicted:
    """Predictions whose scores take so few values that many are equal."""
    rng = np.random.default_rng(seed)
    n = groups * of_group
    truth = rng.permutation(np.arange(n) % kinds)
    return of_groups(
        truth, rng.integers(steps, size=(n, kinds)) / steps, np.repeat(np.arange(groups), of_group).astype(str)
    )


def drawn_rows(predicted: Predicted, draw: int) -> np.ndarray:
    """The rows of a draw, each as often as it was drawn."""
    return np.repeat(np.arange(len(predicted.truth)), predicted.weights[draw].astype(int))


def one_against_the_rest(truth: np.ndarray, answer: np.ndarray) -> list[float]:
    return [
        roc_auc_score(truth == k, answer[:, k]) for k in range(answer.shape[1]) if 0 < (truth == k).sum() < len(truth)
    ]


# Scores --------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 4))
def test_class_scores_are_those_of_scikit_learn_for_the_sample_and_for_draws_of_groups(seed: int, kinds: int) -> None:
    predicted = classes(seed, kinds=kinds)
    scores = class_scores(predicted, rare=1)
    for draw in (0, 1, 2, 17, DRAWS):
        rows = drawn_rows(predicted, draw)
        truth, answer = predicted.truth[rows], predicted.answer[rows]
        assigned = answer.argmax(axis=1)
        expected = {
            "balanced accuracy": balanced_accuracy_score(truth, assigned),
            "macro F1": f1_score(truth, assigned, average="macro"),
            "macro AUC": np.mean(one_against_the_rest(truth, answer)),
        }
        if (truth == 1).any():
            expected["rare recall"] = (assigned[truth == 1] == 1).mean()
            expected["rare AUPRC"] = average_precision_score(truth == 1, answer[:, 1])
        for name, value in expected.items():
            np.testing.assert_allclose(
                scores[name][draw], value, rtol=EXACT, atol=EXACT, err_msg=f"{name}, draw {draw}"
            )


def test_the_macro_auc_is_scikit_learns_one_against_the_rest() -> None:
    predicted = classes(3, groups=20)
    answer = predicted.answer + 0.01
    answer /= answer.sum(axis=1, keepdims=True)
    scores = class_scores(Predicted(predicted.truth, answer, predicted.weights), rare=0)
    np.testing.assert_allclose(
        scores["macro AUC"][0], roc_auc_score(predicted.truth, answer, multi_class="ovr"), rtol=EXACT
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 1e6]))
def test_amount_scores_are_those_of_scikit_learn_however_far_from_zero(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    truth = offset + rng.normal(size=24)
    predicted = of_groups(truth, (truth + rng.normal(size=24))[:, None], np.repeat(np.arange(6), 4).astype(str))
    scores = amount_scores(predicted)
    for draw in (0, 1, 2, 17, DRAWS):
        rows = drawn_rows(predicted, draw)
        answer, known = predicted.answer[rows, 0], truth[rows]
        np.testing.assert_allclose(scores["RMSEP"][draw], root_mean_squared_error(known, answer), rtol=EXACT)
        np.testing.assert_allclose(scores["R2"][draw], r2_score(known, answer), rtol=1e-7, atol=1e-7)  # offset^2 eps


def test_perfect_and_constant_answers_score_as_they_must() -> None:
    truth, group = np.repeat([0, 1, 2], 8), np.arange(24).astype(str)
    best = class_scores(of_groups(truth, np.eye(3)[truth], group), rare=2)
    assert {name: values[0] for name, values in best.items()} == dict.fromkeys(best, 1.0)
    flat = class_scores(of_groups(truth, np.full((24, 3), 1 / 3), group), rare=2)
    assert flat["macro AUC"][0] == 0.5
    assert flat["rare AUPRC"][0] == pytest.approx(1 / 3)
    assert flat["balanced accuracy"][0] == pytest.approx(1 / 3)
    amounts = np.arange(24.0)
    mean = amount_scores(of_groups(amounts, np.full((24, 1), amounts.mean()), group))
    assert mean["R2"][0] == pytest.approx(0, abs=1e-12)


# What a draw lacks ---------------------------------------------------------------------------------------------------


def test_a_draw_of_one_class_has_no_auc_and_does_not_count() -> None:
    predicted = of_groups(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array(["p1", "p2"]))
    scores = class_scores(predicted, rare=1)  # half of all draws hold one patient twice
    assert 0.4 < np.isnan(scores["macro AUC"]).mean() < 0.6
    assert interval(scores["macro AUC"]).low == 1
    assert not np.isnan(scores["balanced accuracy"]).any()
    assert np.isnan(scores["rare recall"]).any()


def test_a_class_that_was_not_held_out_is_left_out_of_the_means() -> None:
    truth, answer = np.array([0, 0, 1, 1]), np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]])
    scores = class_scores(of_groups(truth, answer, np.arange(4).astype(str)), rare=2)
    assert scores["balanced accuracy"][0] == 0.75
    assert np.isnan(scores["rare recall"]).all()


def test_a_draw_of_equal_amounts_has_no_r2() -> None:
    truth = np.array([0.1, 0.1, 0.7, 0.7]) + 1e3
    scores = amount_scores(of_groups(truth, truth[:, None] + 0.1, np.array(["p1", "p1", "p2", "p2"])))
    assert 0.4 < np.isnan(scores["R2"]).mean() < 0.6
    assert np.nanmin(scores["R2"]) > 0.8
    np.testing.assert_allclose(scores["RMSEP"], 0.1, rtol=EXACT)


# Draws and intervals -------------------------------------------------------------------------------------------------


def test_whole_groups_are_drawn_as_many_as_there_are() -> None:
    predicted = classes(0)
    weights = predicted.weights
    assert weights.shape == (DRAWS + 1, 24)
    assert (weights[0] == 1).all()
    of_group = weights.reshape(DRAWS + 1, 6, 4)
    assert (of_group == of_group[:, :, :1]).all()
    assert (of_group[:, :, 0].sum(axis=1) == 6).all()
    # 2,000 draws of a count with variance 5/6: five standard errors of their mean.
    np.testing.assert_allclose(of_group[1:, :, 0].mean(axis=0), 1, atol=5 * np.sqrt(5 / 6 / DRAWS))


def test_the_same_rows_have_the_same_draws_so_that_equal_predictions_differ_by_nothing() -> None:
    predicted = classes(1)
    twin = Predicted(predicted.truth, 2 * predicted.answer, predicted.weights)  # other scores in the same order
    for name, values in class_scores(predicted, 0).items():
        difference = values - class_scores(twin, 0)[name]
        assert (difference == 0).all()
        assert p_value(difference) == 1
        assert (interval(difference).low, interval(difference).value, interval(difference).high) == (0, 0, 0)


def test_the_interval_of_a_difference_is_that_of_pairs() -> None:
    """One method answers as the other does, but for one spectrum of each group: a small and certain gain."""
    truth = np.tile(np.repeat([0, 1], 5), 20)
    group = np.repeat(np.arange(20), 10).astype(str)
    right = np.random.default_rng(0).random(200) < np.repeat(np.random.default_rng(1).random(20), 10)
    right[::10] = False
    better = right.copy()
    better[::10] = True
    one, two = (
        class_scores(of_groups(truth, np.eye(2)[np.where(known, truth, 1 - truth)], group), 0)["balanced accuracy"]
        for known in (right, better)
    )
    paired, alone = interval(two - one), interval(one)
    assert paired.value == pytest.approx(0.1)
    assert paired.high - paired.low < 1e-9  # it is the same in every group, and so in every draw
    assert alone.high - alone.low > 0.15
    assert p_value(two - one) == pytest.approx(2 / (DRAWS + 1))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=200).map(np.array))
def test_a_p_value_has_its_bounds_and_does_not_care_for_the_sign(draws: np.ndarray) -> None:
    p = p_value(draws)
    assert 2 / len(draws) * (1 - 1e-12) <= p <= 1
    assert p == p_value(-draws)


def test_an_interval_keeps_four_digits_of_any_unit() -> None:
    draws = np.linspace(1, 2, 101) * 1.23456789e-7
    found = interval(np.concatenate([[1.5e-7], draws]))
    assert (found.value, found.low, found.high) == (1.5e-7, 1.265e-7, 2.438e-7)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Accuracies of subjects vary, and a subject's spectra share theirs: rows are not independent, groups are."""
    rng, trials, inside, by_rows = np.random.default_rng(0), 80, 0, 0
    group, truth = np.repeat(np.arange(40), 3).astype(str), np.zeros(120, np.int64)
    for _ in range(trials):
        right = rng.random(120) < np.repeat(rng.beta(2, 1, size=40), 3)  # 2/3 on average
        answer = np.eye(2)[np.where(right, 0, 1)]
        grouped, rows = (
            interval(class_scores(of_groups(truth, answer, names), 0)["balanced accuracy"])
            for names in (group, np.arange(120).astype(str))
        )
        inside += grouped.low <= 2 / 3 <= grouped.high
        by_rows += rows.low <= 2 / 3 <= rows.high
    # 95 %, a little less of 40 groups; the standard error of 80 trials is .025: three of them below.
    assert inside / trials >= 0.87
    assert by_rows < inside  # what an interval over spectra promises and does not keep
