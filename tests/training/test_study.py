"""The extrinsic study: no split leaks, no cell is computed twice, only data and spec decide the table."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, LeakError, UsageError
from lineshape_training import study as package
from lineshape_training.resampling import ClassicalAugmentation
from lineshape_training.results import Interval
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import Outcome, Row, Study, StudySpec, cells
from lineshape_training.study.arms import AUGMENTED, BALANCED, GENERATED, REAL, Arm, Pool, mixed
from lineshape_training.study.cells import NONE
from lineshape_training.study.probes import CLASSIFIERS
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
from lineshape_training.study.table import ALL_PROBES, Gain, judged

DESIGN = Design("ir", classes=2, subjects=8, replicates=2, analytes=("sugar",), effect=4.0, points=64)
QUICK = {name: CLASSIFIERS[name] for name in ("PLS-DA", "logistic regression")}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two probes of five, for what does not depend on which they are; cells that are computed in this process."""
    monkeypatch.setattr(cells, "CLASSIFIERS", QUICK)


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return simulate(DESIGN).table


def bare(label: str | list[str], group: list[str], instrument: list[str] | None = None) -> SpectraTable:
    """A table of which only the columns count."""
    values = np.random.default_rng(0).random((len(group), 3)).astype(np.float32)
    axis = SpectralAxis.regular("raman", 400, 500, 3, "cm-1")
    names = None if instrument is None else np.array(instrument)
    return SpectraTable(
        values, np.ones_like(values), axis, np.array(group), np.array(group), np.array(list(label)), names
    )


def of_class(sizes: dict[str, int], replicates: int = 2) -> SpectraTable:
    """So many groups of each class, on two instruments in turn."""
    rows = [
        (label, f"{label}{g}", r) for label, groups in sizes.items() for g in range(groups) for r in range(replicates)
    ]
    return bare([a for a, _, _ in rows], [b for _, b, _ in rows], [f"i{r % 2}" for _, _, r in rows])


def row(outcome: Outcome, protocol: str, method: str, arm: str, probe: str = ALL_PROBES) -> Row:
    found = [
        one for one in outcome.rows if (one.protocol, one.method, one.arm, one.probe) == (protocol, method, arm, probe)
    ]
    assert len(found) == 1, (protocol, method, arm, probe)
    return found[0]


def test_the_package_shows_all_it_has() -> None:
    assert sorted(package.__all__) == sorted(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


# Protocols -----------------------------------------------------------------------------------------------------------

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


# Arms ----------------------------------------------------------------------------------------------------------------


def pool_of(y: NDArray[Any], arms: tuple[Arm, ...]) -> tuple[NDArray[np.float64], Pool]:
    """Real spectra that say which row they are, and synthetic ones that are negative."""

    class Negative(ClassicalAugmentation):
        def _draw(self, label: Any, n: int, rng: np.random.Generator) -> Any:
            amounts = None if label is not None else -1.0 - np.arange(n)
            return np.repeat(-1.0 - np.arange(n)[:, None], 2, axis=1), amounts

    X = np.repeat(np.arange(len(y), dtype=np.float64)[:, None], 2, axis=1)
    return X, Pool(Negative().fit(X, y), y, arms)


@pytest.mark.parametrize(
    ("name", "real", "synthetic"),
    [
        ("real only", (20, 8), (0, 0)),
        ("real + 0.5x", (20, 8), (10, 4)),
        ("real + 10x", (20, 8), (200, 80)),
        ("synthetic only", (0, 0), (20, 8)),
        ("25% substituted", (15, 6), (5, 2)),
        ("75% substituted", (5, 2), (15, 6)),
        ("balanced", (20, 8), (0, 12)),
    ],
)
def test_an_arm_holds_its_shares_of_every_class(name: str, real: tuple[int, int], synthetic: tuple[int, int]) -> None:
    arms = (REAL, *GENERATED, BALANCED)
    arm = next(arm for arm in arms if arm.name == name)
    y = np.random.default_rng(0).permutation(np.repeat(["a", "b"], [20, 8]))
    X, pool = pool_of(y, arms)
    spectra, targets = mixed(arm, X, y, pool, np.random.default_rng(0))
    kept = spectra[:, 0] >= 0
    assert tuple((targets[kept] == label).sum() for label in "ab") == real
    assert tuple((targets[~kept] == label).sum() for label in "ab") == synthetic
    np.testing.assert_array_equal(targets[kept], y[spectra[kept, 0].astype(int)])
    for label in "ab":  # the first of the pool, so that a larger arm holds what a smaller one does
        drawn = spectra[~kept & (targets == label), 0]
        np.testing.assert_array_equal(drawn, -1 - np.arange(len(drawn)))


def test_amounts_are_one_class_and_travel_with_their_spectra() -> None:
    y = np.linspace(0, 1, 12)
    X, pool = pool_of(y, AUGMENTED)
    spectra, targets = mixed(AUGMENTED[0], X, y, pool, np.random.default_rng(0))
    np.testing.assert_array_equal(targets, np.concatenate([y, spectra[12:, 0]]))
    assert len(targets) == 18


# Tables --------------------------------------------------------------------------------------------------------------


def test_a_study_has_every_score_of_every_arm_and_probe_with_its_gain(
    table: SpectraTable, tmp_path: Path, quick: None
) -> None:
    spec = StudySpec(methods=("classical", "smote"), protocols=("group", "imbalance", "curve"), folds=2)
    told: list[int] = []
    outcome = Study(table, spec, tmp_path).run(progress=told.append)
    assert sum(told) == len(list(tmp_path.glob("*.npz"))) == 2 * 3 * 4  # folds, methods, protocols (5 groups of 8)
    assert outcome.refused == {}
    assert outcome.rare == "class-0"
    assert {one.protocol for one in outcome.rows} == {"by group", "20:1", "138:1", "5 groups"}
    for probe in (*QUICK, ALL_PROBES):
        assert row(outcome, "by group", NONE, "real only", probe).gains == {}
        for arm in AUGMENTED:
            one, real = (row(outcome, "by group", *key, probe) for key in (("smote", arm.name), (NONE, "real only")))
            for name, gain in one.gains.items():
                # Rounded to four digits on either side.
                assert gain.value == pytest.approx(one.scores[name].value - real.scores[name].value, abs=2e-4)
                assert gain.low <= gain.high
                assert 0 < gain.p <= 1
    assert [(one.protocol, one.method, one.arm) for one in outcome.effects] == [
        ("by group", "classical", "real + 1x"), ("by group", "smote", "real + 1x"),
        ("20:1", "classical", "balanced"), ("20:1", "smote", "balanced"),
        ("138:1", "classical", "balanced"), ("138:1", "smote", "balanced"),
        ("5 groups", "classical", "real + 1x"), ("5 groups", "smote", "real + 1x"),
    ]  # fmt: skip
    for effect in outcome.effects:
        assert effect.score == "balanced accuracy"
        assert effect.gain == row(outcome, effect.protocol, effect.method, effect.arm).gains["balanced accuracy"]
        assert effect.verdict == judged(effect.gain)
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome


def test_a_verdict_follows_the_interval() -> None:
    assert judged(Gain(0.1, 0.01, 0.2, 0.01)) == "helps"
    assert judged(Gain(-0.1, -0.2, -0.01, 0.01)) == "hurts"
    assert judged(Gain(0.1, 0.0, 0.2, 0.05)) == "makes no difference"


def test_an_amount_is_predicted_and_its_error_is_better_small(table: SpectraTable, tmp_path: Path) -> None:
    known = replace(table, analytes={"sugar": np.where(np.arange(32) < 4, np.nan, table.analytes["sugar"])})
    outcome = Study(known, StudySpec(methods=("classical", "smote"), analyte="sugar", folds=2), tmp_path).run()
    real, added = (
        row(outcome, "by group", NONE, "real only", "PLS"),
        row(outcome, "by group", "classical", "real + 1x", "PLS"),
    )
    assert set(real.scores) == {"RMSEP", "R2"}
    assert added.gains["RMSEP"].value == pytest.approx(
        real.scores["RMSEP"].value - added.scores["RMSEP"].value, abs=2e-4
    )
    assert added.gains["R2"].value == pytest.approx(added.scores["R2"].value - real.scores["R2"].value, abs=2e-4)
    assert "SMOTE needs class labels" in outcome.refused["by group, smote"]
    assert outcome.rare is None


def test_an_instrument_is_left_out_in_turn(tmp_path: Path, quick: None) -> None:
    two = simulate(replace(DESIGN, instruments=2)).table
    outcome = Study(two, StudySpec(methods=("classical",), protocols=("instrument",), folds=2), tmp_path).run()
    assert {one.protocol for one in outcome.rows} == {"without instrument-0", "without instrument-1"}


def test_an_instrument_may_have_any_name_and_its_files_stay_in_the_work_folder(tmp_path: Path, quick: None) -> None:
    two = simulate(replace(DESIGN, instruments=2)).table
    assert two.instrument is not None
    odd = replace(two, instrument=np.where(two.instrument == "instrument-0", "../../a b:c", "x"))
    study = Study(odd, StudySpec(methods=(), protocols=("instrument",), folds=2), tmp_path / "work")
    assert {cell.path.parent for cell in study.cells} == {tmp_path / "work"}
    assert len({cell.path for cell in study.cells}) == len(study.cells) == 4
    study.run()


# What a method cannot do ---------------------------------------------------------------------------------------------


def test_a_refused_method_is_listed_with_its_reason_and_the_others_are_measured(tmp_path: Path, quick: None) -> None:
    few = of_class({"a": 6, "b": 2}, replicates=1)  # one spectrum of b is left to fit on
    outcome = Study(few, StudySpec(methods=("smote", "classical"), folds=2), tmp_path).run()
    assert list(outcome.refused) == ["by group, smote"]
    assert "class 'b' has one spectrum" in outcome.refused["by group, smote"]
    assert row(outcome, "by group", "classical", "real + 3x")
    assert [one.method for one in outcome.effects] == ["classical"]


def test_a_fold_with_one_class_is_refused_and_not_the_end(tmp_path: Path, quick: None) -> None:
    one_each = of_class({"a": 6, "b": 6})
    assert one_each.label is not None
    confounded = replace(one_each, instrument=np.where(one_each.label == "a", "ours", "theirs"))
    outcome = Study(
        confounded, StudySpec(methods=("smote",), protocols=("instrument", "group"), folds=2), tmp_path
    ).run()
    assert "all spectra to fit on are of class b" in outcome.refused["without ours, none"]
    assert {one.protocol for one in outcome.rows} == {"by group"}


def test_a_score_that_no_held_out_spectrum_can_have_is_left_out(tmp_path: Path, quick: None) -> None:
    sizes = of_class({"a": 6, "b": 6, "c": 4})
    assert sizes.label is not None
    assert sizes.instrument is not None
    without_c = (sizes.label != "c") | (sizes.instrument == "i0")
    spec = StudySpec(methods=("classical",), protocols=("instrument",), folds=2)
    outcome = Study(sizes.rows(np.flatnonzero(without_c)), spec, tmp_path).run()
    scores = row(outcome, "without i1", "classical", "real + 1x").scores
    assert set(scores) == {"balanced accuracy", "macro F1", "macro AUC"}


@pytest.mark.parametrize(
    ("spec", "error", "why"),
    [
        ({"protocols": ("patient",)}, UsageError, "no protocol 'patient'; there are group, spectrum"),
        ({"protocols": ("instrument",)}, DataError, "names no instrument"),
        ({"methods": ("magic",)}, UsageError, "no method 'magic'"),
        ({"analyte": "salt"}, DataError, "no analyte 'salt' in the table; it has sugar"),
        ({"analyte": "sugar", "protocols": ("imbalance",)}, UsageError, "imbalance is about classes"),
        ({"folds": 50}, DataError, "16 independent groups cannot make 50 folds"),
    ],
)
def test_what_cannot_be_studied_is_refused_before_anything_is_computed(
    table: SpectraTable, tmp_path: Path, spec: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        Study(table, StudySpec(**spec), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_spectra_of_unknown_class_are_left_out(table: SpectraTable, tmp_path: Path) -> None:
    assert table.label is not None
    some = replace(table, label=np.where(np.arange(32) < 3, "", table.label))
    assert len(Study(some, StudySpec(), tmp_path).problem.y) == 29
    with pytest.raises(DataError, match="needs classes or an analyte"):
        Study(replace(table, label=None), StudySpec(), tmp_path)


# What a generator sees -----------------------------------------------------------------------------------------------


class Spy(ClassicalAugmentation):
    """Remembers what it was fitted on."""

    fits: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []  # noqa: RUF012 - one for all instances

    def fit(self, X: Any, y: Any, groups: Any = None) -> Spy:
        self.fits.append((X, y, groups))
        return super().fit(X, y, groups)


def test_a_generator_is_fitted_on_the_fitting_groups_of_its_fold_and_on_nothing_else(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cells.AUGMENTATIONS, "spy", lambda seed: Spy(random_state=seed))
    monkeypatch.setattr(Spy, "fits", [])
    two = simulate(replace(DESIGN, instruments=2)).table
    spec = StudySpec(methods=("spy",), protocols=("group", "imbalance", "curve", "instrument"), folds=2)
    study = Study(two, spec, tmp_path)
    study.run()
    splits = [cell.split for cell in study.cells if cell.method == "spy"]
    assert len(splits) == len(Spy.fits) == 2 * 6
    for split, (X, y, groups) in zip(splits, Spy.fits, strict=True):
        assert not set(groups) & set(study.problem.group[split.held])
        for seen, column in ((X, study.problem.X), (y, study.problem.y), (groups, study.problem.group)):
            np.testing.assert_array_equal(seen, column[split.fitting])


def test_the_spectra_are_preprocessed_one_by_one(table: SpectraTable, tmp_path: Path) -> None:
    values = table.values
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    np.testing.assert_allclose(Study(table, StudySpec(), tmp_path).problem.X, (values - low) / (high - low), atol=1e-6)


def test_a_recipe_is_a_method(table: SpectraTable, tmp_path: Path, quick: None) -> None:
    text = (files("lineshape_training") / "recipes" / "raman-vae.toml").read_text()
    changes = {"steps": 4, "evaluate_every": 2, "batch": 8, "folds": 2}
    for name, number in changes.items():
        text = re.sub(rf"^{name} = \d+$", f"{name} = {number}", text, flags=re.MULTILINE)
    (tmp_path / "short.toml").write_text(text)
    method = str(tmp_path / "short.toml")
    study = Study(table, StudySpec(methods=(method, "raman-to-ir"), folds=2), tmp_path / "work")
    outcome = study.run()
    for arm in GENERATED:
        assert np.isfinite(row(outcome, "by group", method, arm.name).gains["balanced accuracy"].p)
    assert "of a family for transfer" in outcome.refused["by group, raman-to-ir"]
    again = Study(table, StudySpec(methods=(method, "raman-to-ir"), folds=2), tmp_path / "work")
    assert all(cell.path.exists() for cell in again.cells)


# The same table ------------------------------------------------------------------------------------------------------

SPEC = StudySpec(methods=("smote",), protocols=("spectrum",), folds=2, seed=5)


@pytest.fixture(scope="module")
def alone(table: SpectraTable, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A study by all probes in this process, and its cells."""
    work = tmp_path_factory.mktemp("alone")
    return Study(table, SPEC, work).run(), work


def contents(work: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in work.glob("*.npz")}


def test_cells_that_were_lost_are_computed_again_and_the_others_are_not(
    table: SpectraTable, alone: tuple[Outcome, Path]
) -> None:
    outcome, work = alone
    before, paths = contents(work), sorted(work.glob("*.npz"))
    paths[0].unlink()
    (work / f".{paths[0].name}.part").write_bytes(b"half")  # as a kill while it was written leaves it
    kept = {path: path.stat().st_mtime_ns for path in paths[1:]}
    told: list[int] = []
    assert Study(table, SPEC, work).run(progress=told.append) == outcome
    assert told == [3, 1]
    assert contents(work) == before
    assert kept == {path: path.stat().st_mtime_ns for path in paths[1:]}


KILLED = """
import sys, msgspec
from pathlib import Path
from lineshape_training.simulation import Design, simulate
from lineshape_training.study import Study, StudySpec
design = Design(**msgspec.json.decode(sys.argv[1]) | {"analytes": ("sugar",)})
Study(simulate(design).table, msgspec.json.decode(sys.argv[2], type=StudySpec), Path(sys.argv[3])).run()
"""


def test_a_study_that_was_killed_is_ended_by_two_processes_in_the_same_table(
    table: SpectraTable, alone: tuple[Outcome, Path], tmp_path: Path
) -> None:
    words = [msgspec.json.encode(part).decode() for part in (DESIGN, SPEC)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words, str(tmp_path)])
    _wait_for(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    study = Study(table, SPEC, tmp_path)
    assert 0 < sum(cell.path.exists() for cell in study.cells) < len(study.cells)
    assert study.run(jobs=2) == alone[0]
    assert contents(tmp_path) == contents(alone[1])


def _wait_for(work: Path) -> None:
    until = time.monotonic() + 120
    while not list(work.glob("*.npz")):
        assert time.monotonic() < until
        time.sleep(0.01)


def changed(table: SpectraTable) -> Iterator[tuple[str, SpectraTable, StudySpec]]:
    values = table.values.copy()
    values[0, 0] += 1
    yield "a value", replace(table, values=values), SPEC
    yield "a group", replace(table, group=np.where(table.group == table.group[0], "new", table.group)), SPEC
    yield "the seed", table, msgspec.structs.replace(SPEC, seed=6)
    yield "the folds", table, msgspec.structs.replace(SPEC, folds=3)
    yield "the steps", table, msgspec.structs.replace(SPEC, steps=())


def test_a_cell_is_not_taken_for_that_of_another_study(table: SpectraTable, tmp_path: Path) -> None:
    own = {cell.path for cell in Study(table, SPEC, tmp_path).cells}
    assert own == {cell.path for cell in Study(table, SPEC, tmp_path).cells}
    for what, other, spec in changed(table):
        assert not own & {cell.path for cell in Study(other, spec, tmp_path).cells}, what
    more = msgspec.structs.replace(SPEC, methods=("classical", "smote"))
    assert own < {cell.path for cell in Study(table, more, tmp_path).cells}  # another method costs only its own cells


# What a leak would have promised -------------------------------------------------------------------------------------


def test_a_split_by_spectrum_promises_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes are equal by construction; a split by spectrum tells subjects apart and calls them classes."""
    monkeypatch.setattr(cells, "CLASSIFIERS", {"random forest": CLASSIFIERS["random forest"]})
    equal = simulate(Design("ir", classes=2, subjects=12, replicates=8, effect=0.0, points=64)).table
    outcome = Study(equal, StudySpec(methods=(), protocols=("group", "spectrum")), tmp_path).run()

    def accuracy(protocol: str) -> Interval:
        return row(outcome, protocol, NONE, "real only").scores["balanced accuracy"]

    assert accuracy("by group").low < 0.5 < accuracy("by group").high
    assert accuracy("by spectrum").low > 0.6
    assert accuracy("by spectrum").value > accuracy("by group").high
