"""The extrinsic study: only data and spec decide the table, and what cannot be measured is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from studies import DESIGN, QUICK, of_class, row

from lineshape.errors import DataError, UsageError
from lineshape.results import Interval
from lineshape_training import study as package
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import Outcome, Study, StudySpec
from lineshape_training.study.arms import AUGMENTED
from lineshape_training.study.cells import NONE
from lineshape_training.study.probes import CLASSIFIERS, REGRESSORS
from lineshape_training.study.table import ALL_PROBES, Gain, judged


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return simulate(DESIGN).table


def test_the_package_shows_all_it_has() -> None:
    assert sorted(package.__all__) == sorted(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


# Tables --------------------------------------------------------------------------------------------------------------


def test_a_study_has_every_score_of_every_arm_and_probe_with_its_gain(table: SpectraTable, tmp_path: Path) -> None:
    spec = StudySpec(probes=QUICK, methods=("classical", "smote"), protocols=("group", "imbalance", "curve"), folds=2)
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


def test_a_study_has_the_probes_that_were_asked_for_and_the_usual_ones_otherwise(
    table: SpectraTable, tmp_path: Path
) -> None:
    outcome = Study(table, StudySpec((), folds=2, probes=("rocket", "PLS-DA")), tmp_path).run()
    assert [one.probe for one in outcome.rows] == ["rocket", "PLS-DA", ALL_PROBES]
    assert Study(table, StudySpec(()), tmp_path).probes == tuple(CLASSIFIERS)
    assert Study(table, StudySpec((), analyte="sugar"), tmp_path).probes == tuple(REGRESSORS)
    assert "ResNet" not in CLASSIFIERS  # it would change what was recorded with the others


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


def test_the_spectra_are_preprocessed_one_by_one(table: SpectraTable, tmp_path: Path) -> None:
    values = table.values
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    np.testing.assert_allclose(Study(table, StudySpec(), tmp_path).problem.X, (values - low) / (high - low), atol=1e-6)


def test_an_instrument_is_left_out_in_turn(tmp_path: Path) -> None:
    two = simulate(replace(DESIGN, instruments=2)).table
    outcome = Study(
        two, StudySpec(probes=QUICK, methods=("classical",), protocols=("instrument",), folds=2), tmp_path
    ).run()
    assert {one.protocol for one in outcome.rows} == {"without instrument-0", "without instrument-1"}


def test_an_instrument_may_have_any_name_and_its_files_stay_in_the_work_folder(tmp_path: Path) -> None:
    two = simulate(replace(DESIGN, instruments=2)).table
    assert two.instrument is not None
    odd = replace(two, instrument=np.where(two.instrument == "instrument-0", "../../a b:c", "x"))
    study = Study(odd, StudySpec(probes=QUICK, methods=(), protocols=("instrument",), folds=2), tmp_path / "work")
    assert {cell.path.parent for cell in study.cells} == {tmp_path / "work"}
    assert len({cell.path for cell in study.cells}) == len(study.cells) == 4
    study.run()


# What a method cannot do ---------------------------------------------------------------------------------------------


def test_a_refused_method_is_listed_with_its_reason_and_the_others_are_measured(tmp_path: Path) -> None:
    few = of_class({"a": 6, "b": 2}, replicates=1)  # one spectrum of b is left to fit on
    outcome = Study(few, StudySpec(probes=QUICK, methods=("smote", "classical"), folds=2), tmp_path).run()
    assert list(outcome.refused) == ["by group, smote"]
    assert "class 'b' has one spectrum" in outcome.refused["by group, smote"]
    assert row(outcome, "by group", "classical", "real + 3x")
    assert [one.method for one in outcome.effects] == ["classical"]


def test_a_fold_with_one_class_is_refused_and_not_the_end(tmp_path: Path) -> None:
    one_each = of_class({"a": 6, "b": 6})
    assert one_each.label is not None
    confounded = replace(one_each, instrument=np.where(one_each.label == "a", "ours", "theirs"))
    outcome = Study(
        confounded, StudySpec(probes=QUICK, methods=("smote",), protocols=("instrument", "group"), folds=2), tmp_path
    ).run()
    assert "all spectra to fit on are of class b" in outcome.refused["without ours, none"]
    assert {one.protocol for one in outcome.rows} == {"by group"}


def test_a_score_that_no_held_out_spectrum_can_have_is_left_out(tmp_path: Path) -> None:
    sizes = of_class({"a": 6, "b": 6, "c": 4})
    assert sizes.label is not None
    assert sizes.instrument is not None
    without_c = (sizes.label != "c") | (sizes.instrument == "i0")
    spec = StudySpec(probes=QUICK, methods=("classical",), protocols=("instrument",), folds=2)
    outcome = Study(sizes.rows(np.flatnonzero(without_c)), spec, tmp_path).run()
    scores = row(outcome, "without i1", "classical", "real + 1x").scores
    assert set(scores) == {"balanced accuracy", "macro F1", "macro AUC"}


@pytest.mark.parametrize(
    ("spec", "error", "why"),
    [
        ({"protocols": ("patient",)}, UsageError, "no protocol 'patient'; there are group, spectrum"),
        ({"protocols": ("instrument",)}, DataError, "names no instrument"),
        ({"methods": ("magic",)}, UsageError, "no method 'magic'"),
        ({"probes": ("PLS",)}, UsageError, "no probe 'PLS' of classes; there are PLS-DA, .*, ResNet"),
        ({"analyte": "sugar", "probes": ("ResNet",)}, UsageError, "no probe 'ResNet' of an analyte; there are PLS, "),
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


# What a leak would have promised -------------------------------------------------------------------------------------


def test_a_split_by_spectrum_promises_what_is_not_there(tmp_path: Path) -> None:
    """The classes are equal by construction; a split by spectrum tells subjects apart and calls them classes."""
    equal = simulate(Design("ir", classes=2, subjects=12, replicates=8, effect=0.0, points=64)).table
    outcome = Study(equal, StudySpec((), ("group", "spectrum"), probes=("random forest",)), tmp_path).run()

    def accuracy(protocol: str) -> Interval:
        return row(outcome, protocol, NONE, "real only").scores["balanced accuracy"]

    assert accuracy("by group").low < 0.5 < accuracy("by group").high
    assert accuracy("by spectrum").low > 0.6
    assert accuracy("by spectrum").value > accuracy("by group").high


def test_a_split_by_spectrum_is_measured_and_decides_nothing(table: SpectraTable, tmp_path: Path) -> None:
    spec = StudySpec(("classical",), ("spectrum", "group"), folds=2, probes=QUICK)
    outcome = Study(table, spec, tmp_path).run()
    assert row(outcome, "by spectrum", "classical", "real + 1x").gains
    assert [effect.protocol for effect in outcome.effects] == ["by group"]
