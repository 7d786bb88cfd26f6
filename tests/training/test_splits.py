"""Whole groups on one side: every row held out once, and a leak is an error with a name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.errors import DataError, LeakError
from lineshape_training.splits import check_disjoint, group_folds, stratified_folds

groups = st.lists(st.sampled_from([f"patient {i}" for i in range(12)]), min_size=10, max_size=80).map(np.array)


@given(group=groups, folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_no_group_crosses_a_split_and_every_row_is_held_out_once(group: np.ndarray, folds: int, seed: int) -> None:
    if len(np.unique(group)) < folds:
        with pytest.raises(DataError, match="cannot make"):
            group_folds(group, folds, seed)
        return
    splits = group_folds(group, folds, seed)
    for fitting, held in splits:
        assert not set(group[fitting]) & set(group[held])
        assert sorted([*fitting, *held]) == list(range(len(group)))
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(len(group)))
    sizes = [len(np.unique(group[held])) for _, held in splits]
    assert max(sizes) - min(sizes) <= 1


def test_a_leak_names_the_group() -> None:
    group = np.array(["a", "a", "b"])
    with pytest.raises(LeakError, match="'a' stands on both sides"):
        check_disjoint(group, np.array([0]), np.array([1, 2]))


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Groups of one class each, two to six of a class, with one to four spectra each."""
    rows = [
        (f"{label} {number}", label)
        for label in "abc"[: draw(st.integers(1, 3))]
        for number in range(draw(st.integers(2, 6)))
        for _ in range(draw(st.integers(1, 4)))
    ]
    order = draw(st.permutations(rows))
    return np.array([group for group, _ in order]), np.array([label for _, label in order])


@given(table=labelled(), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_stratified_folds_keep_groups_whole_and_hold_every_row_out_once(
    table: tuple[np.ndarray, np.ndarray], folds: int, seed: int
) -> None:
    group, label = table
    try:
        splits = stratified_folds(group, label, folds, seed)
    except DataError:
        assert len(set(group)) < folds or np.unique(label, return_counts=True)[1].max() < folds
        return
    assert len(splits) == folds
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(len(group)))
    for fitting, held in splits:
        assert not set(group[fitting]) & set(group[held])
        assert sorted([*fitting, *held]) == list(range(len(group)))
        assert set(label[fitting]) == set(label)  # every class can be fitted
    again = stratified_folds(group, label, folds, seed)
    assert all(
        np.array_equal(a, b) for one, two in zip(splits, again, strict=True) for a, b in zip(one, two, strict=True)
    )


@given(
    classes=st.integers(2, 4), of_fold=st.integers(1, 3), size=st.integers(1, 4), folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_equal_groups_are_spread_evenly_over_the_folds(
    classes: int, of_fold: int, size: int, folds: int, seed: int
) -> None:
    label = np.repeat([f"class {k}" for k in range(classes)], of_fold * folds * size)
    group = np.repeat(np.arange(classes * of_fold * folds), size).astype(str)
    for _, held in stratified_folds(group, label, folds, seed):
        assert np.unique(label[held], return_counts=True)[1].tolist() == [of_fold * size] * classes


def test_a_class_of_fewer_groups_than_folds_is_held_out_where_it_can() -> None:
    group = np.arange(12).astype(str)
    label = np.array(["common"] * 10 + ["rare"] * 2)
    held = [label[rows].tolist().count("rare") for _, rows in stratified_folds(group, label, 5, 0)]
    assert sorted(held) == [0, 0, 0, 1, 1]


def test_another_seed_gives_other_folds() -> None:
    group, label = np.arange(40).astype(str), np.repeat(["a", "b"], 20)
    first, second = (stratified_folds(group, label, 5, seed)[0][1].tolist() for seed in (0, 1))
    assert first != second


def test_without_classes_folds_are_those_of_groups() -> None:
    group = np.repeat(np.arange(9), 3).astype(str)
    for one, two in zip(stratified_folds(group, None, 3, 7), group_folds(group, 3, 7), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("group", "label", "folds", "why"),
    [
        ("aabbcc", "xxyyyy", 2, "class 'x' has a single independent group; leave the class out"),
        ("aabbcc", "xxxxxx", 4, "3 independent groups cannot make 4 folds; use 2 to 3"),
        ("abcd", "xxxx", 1, "4 independent groups cannot make 1 folds; use 2 to 4"),
        ("abcdef", "xxxyyy", 4, "the largest class has 3 spectra, too few for 4 folds"),
    ],
)
def test_what_cannot_be_stratified_is_refused(group: str, label: str, folds: int, why: str) -> None:
    with pytest.raises(DataError, match=why):
        stratified_folds(np.array(list(group)), np.array(list(label)), folds, 0)
