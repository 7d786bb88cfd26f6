"""Whole groups on one side: every row held out once, and a leak is an error with a name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.errors import DataError, LeakError
from lineshape_training.splits import check_disjoint, group_folds

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
