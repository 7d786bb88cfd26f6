"""Protocols: every one but one keeps whole groups on one side, and each asks its own question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import bare, of_class

from lineshape.errors import LeakError
from lineshape_training.study.protocols import (
    LEAKY,
    by_group,
    by_spectrum,
    check,
    imbalanced,
    limited,
    rarest,
    without_instrument,
)

sizes = st.fixed_dictionaries({"a": st.integers(2, 30), "b": st.integers(2, 30)})


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 99), st.integers(1, 3))
def test_all_protocols_but_one_keep_groups_on_one_side(sizes: dict[str, int], seed: int, repeats: int) -> None:
    table = of_class(sizes)
    whole = by_group(table, repeats, seed, folds=2)
    assert len(whole) == 2 * repeats
    assert len({split.number for split in whole}) == 2 * repeats
    splits = [
        *whole,
        *imbalanced(table, whole, 20, seed),
        *limited(table, whole, 3, seed),
        *without_instrument(table, whole, "i1"),
    ]
    for split in splits:
        check(table, split)
        assert not set(table.group[split.fitting]) & set(table.group[split.held])
        assert len(set(split.fitting.tolist())) == len(split.fitting)
    judged = np.concatenate([split.held for split in whole])
    assert np.bincount(judged, minlength=len(table)).tolist() == [repeats] * len(table)


def test_a_planted_leak_is_refused_by_the_name_of_its_group() -> None:
    table = of_class({"a": 4, "b": 4})
    sound = by_group(table, 1, 0, folds=2)[0]
    stray = np.flatnonzero(table.group == table.group[sound.held[0]])[-1:]
    leaky = replace(sound, fitting=np.concatenate([sound.fitting, stray]))
    with pytest.raises(LeakError, match=f"group '{table.group[stray[0]]}' stands on both sides"):
        check(table, leaky)
    assert any(
        set(table.group[split.fitting]) & set(table.group[split.held]) for split in by_spectrum(table, 1, 0, folds=2)
    )
    for split in by_spectrum(table, 1, 0, folds=2):
        assert split.protocol == LEAKY
        check(table, split)  # there to show what a leak does


@pytest.mark.parametrize("ratio", [20, 138])
def test_imbalance_is_made_of_few_whole_groups(ratio: int) -> None:
    table = of_class({"common": 500, "rare": 30}, replicates=3)
    assert table.label is not None
    whole = by_group(table, 1, 0)
    for split, sound in zip(imbalanced(table, whole, ratio, 0), whole, strict=True):
        label = table.label[split.fitting]
        common, rare = (label == "common").sum(), (label == "rare").sum()
        assert abs(common / ratio - rare) <= 0.5
        groups, counts = np.unique(table.group[split.fitting][label == "rare"], return_counts=True)
        assert len(groups) == -(-rare // 3)
        assert (np.sort(counts)[1:] == 3).all()  # as patients come: with all replicates; the last one may be cut short
        np.testing.assert_array_equal(split.held, sound.held)
        assert split.balances
        assert split.protocol == f"{ratio}:1"


def test_imbalance_leaves_two_spectra_of_the_rare_class() -> None:
    table = of_class({"common": 40, "rare": 10})
    assert table.label is not None
    for split in imbalanced(table, by_group(table, 1, 0), 138, 0):
        assert (table.label[split.fitting] == "rare").sum() == 2


def test_the_rarest_class_has_the_fewest_groups_whatever_its_spectra() -> None:
    assert rarest(bare("aaaaaabbb", [*"112233", *"456"])) == "b"
    assert rarest(bare("aaaaaaabbb", [*"1111122", *"456"])) == "a"


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 99))
def test_the_sets_of_a_learning_curve_are_nested_and_spread_over_the_classes(sizes: dict[str, int], seed: int) -> None:
    table = of_class(sizes)
    whole = by_group(table, 1, seed, folds=2)
    counts = range(2, min(len(set(table.group[split.fitting])) for split in whole) + 1)
    smaller: dict[int, set[str]] = {}
    for count in counts:
        for split, sound in zip(limited(table, whole, count, seed), whole, strict=True):
            groups = set(table.group[split.fitting].tolist())
            assert len(groups) == count
            assert smaller.get(split.number, set()) < groups
            assert set(split.fitting) <= set(sound.fitting)
            assert set(np.flatnonzero(np.isin(table.group, sorted(groups)))) == set(split.fitting)  # with all spectra
            taken = [sum(group.startswith(name) for group in groups) for name in "ab"]
            there = [len({g for g in table.group[sound.fitting] if g.startswith(name)}) for name in "ab"]
            assert min(taken) >= min(count // 2, *there)
            smaller[split.number] = groups


def test_leaving_an_instrument_out_judges_that_instrument_on_unseen_groups() -> None:
    table = of_class({"a": 6, "b": 6})
    assert table.instrument is not None
    whole = by_group(table, 1, 0)
    for split, sound in zip(without_instrument(table, whole, "i1"), whole, strict=True):
        assert set(table.instrument[split.held]) == {"i1"}
        assert set(table.instrument[split.fitting]) == {"i0"}
        assert set(split.held) < set(sound.held)
        assert set(split.fitting) < set(sound.fitting)
        assert split.protocol == "without i1"
