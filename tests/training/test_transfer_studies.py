"""Studies of transfers on simulated pairs, answered out of fold by the nearest neighbour: no fit is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import pytest
import torch
from fits import short
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, ReadError, UsageError
from lineshape_training.commands import bench
from lineshape_training.loading import load_table
from lineshape_training.recipe import text
from lineshape_training.spectra import PairTable
from lineshape_training.splits import Rows, group_folds
from lineshape_training.transfer_studies.classification import (
    ARMS,
    GENERATED,
    MEASURED,
    PROBES,
    Task,
    classified,
    families,
    family_task,
    material_task,
)
from lineshape_training.transfer_studies.mixtures import COMPOSITIONS, DRAWS, PURE, Network, mixtures, triples
from lineshape_training.transfer_studies.pairs import Transferred, scaled
from lineshape_training.transfer_studies.resolution import resolution
from lineshape_training.transfer_studies.studies import as_text, studies

RECIPE = short("raman-to-ir")
Fold: TypeAlias = tuple[Network, Rows]


@dataclass(frozen=True)
class Looked:
    """Out-of-fold answers."""

    rows: NDArray[np.intp]
    spectrum: NDArray[np.float32]


def look_up(known: PairTable, source: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The target of the nearest known source, and its cosine as familiarity."""
    sources, asked = torch.from_numpy(known.source.values * known.source.mask), source * mask
    cosine = torch.nn.functional.normalize(asked) @ torch.nn.functional.normalize(sources).T
    found = torch.from_numpy(scaled(known.target))[cosine.argmax(1)]
    return found, found, found, cosine.amax(1, keepdim=True)


@pytest.fixture(scope="module")
def table() -> PairTable:
    table = load_table("embedded", RECIPE)
    assert isinstance(table, PairTable)
    few = np.isin(table.group, np.unique(table.group)[:12])
    return table.rows(np.flatnonzero(few & (np.arange(len(table)) % 6 < 5)))  # five specimens of each mineral


@pytest.fixture(scope="module")
def folds(table: PairTable) -> list[Fold]:
    splits = group_folds(table.source.identity, 5, 0)
    return [(partial(look_up, table.rows(known)), held) for known, held in splits]


@pytest.fixture(scope="module")
def answers(table: PairTable, folds: list[Fold]) -> Looked:
    asked = [(network, table.source.rows(held)) for network, held in folds]
    found = [network(*map(torch.from_numpy, (side.values, side.mask)))[0].numpy() for network, side in asked]
    return Looked(np.concatenate([held for _, held in folds]), np.concatenate(found))


@pytest.fixture(scope="module")
def pairs(table: PairTable, answers: Looked) -> Transferred:
    return Transferred.of(RECIPE, table, answers)


def halves(pairs: Transferred) -> dict[str, str]:
    """Two families, dealt to the minerals in turn."""
    return {str(name): ("even", "odd")[number % 2] for number, name in enumerate(np.unique(pairs.mineral))}


def test_answers_lie_beside_their_pairs(table: PairTable, pairs: Transferred, answers: Looked) -> None:
    row = int(answers.rows[7])
    assert (pairs.mineral[7], pairs.specimen[7]) == (table.group[row], table.source.identity[row])
    np.testing.assert_array_equal(pairs.measured[7], scaled(table.target)[row])
    assert pairs.source.min() == 0
    assert pairs.source.max() == 1


def test_a_mineral_has_the_family_of_most_of_its_specimens(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    np.savez(path, mineral=np.array(["A", "A", "A", "B", "C"]), family=np.array(["x", "y", "y", "", "x"]))
    assert families(path) == {"A": "y", "C": "x"}
    np.savez(path, mineral=np.array(["A"]))
    with pytest.raises(DataError, match="no array 'family'"):
        families(path)
    with pytest.raises(ReadError, match="cannot be read"):
        families(tmp_path / "absent.npz")


def test_tasks_keep_classes_that_can_be_held_out(pairs: Transferred) -> None:
    names = np.unique(pairs.mineral)
    known = {str(name): "small" if number < 4 else "large" for number, name in enumerate(names)}
    task = family_task(pairs, known)
    assert set(task.label) == {"large"}  # four minerals cannot be held out in five folds
    assert not task.possible
    with pytest.raises(DataError, match="two classes"):
        classified(pairs, task)
    assert set(task.group) == set(names[4:])
    single = replace(pairs, specimen=np.where(pairs.mineral == names[0], "one", pairs.specimen))
    assert names[0] not in material_task(single).label
    assert set(material_task(pairs).group) == set(pairs.specimen)


def test_classes_are_told_from_what_tells_them_and_from_nothing_else(pairs: Transferred) -> None:
    rng = np.random.default_rng(0)
    task = family_task(pairs, halves(pairs))
    told = (task.label == "odd")[:, None]
    noise = rng.normal(size=(len(told), 30)).astype(np.float32)
    clear = (noise + 10 * told).astype(np.float32)
    rows = {
        row.arm: row
        for row in classified(replace(pairs, measured=noise, generated=clear, source=clear), task, 0, ("PLS-DA",)).rows
    }
    assert set(rows) == set(ARMS)
    assert rows[GENERATED].accuracy.value == rows[GENERATED].balanced_accuracy.low == 1
    # Sixty spectra of noise: chance is .5, with a standard deviation of .065.
    assert rows[MEASURED].accuracy.value == pytest.approx(0.5, abs=0.2)
    assert rows[GENERATED].accuracy_gain.value == pytest.approx(1 - rows[MEASURED].accuracy.value, abs=1e-3)
    assert rows[MEASURED].accuracy_gain.low == rows[MEASURED].accuracy_gain.high == 0


def test_balanced_accuracy_weighs_classes_alike() -> None:
    # Of 30 spectra of one class and 10 of the other, a classifier that learns nothing names the larger class.
    label = np.repeat(["a", "b"], [30, 10])
    flat = np.zeros((40, 5), np.float32)
    axis = SpectralAxis(np.linspace(400, 404, 5), "ir", "cm-1")
    pairs = Transferred(flat, flat, flat, label, np.arange(40).astype(str), axis)
    found = classified(pairs, Task(np.arange(40), label, pairs.specimen), names=("random forest",))
    assert found.commonest == 0.75
    assert all((row.accuracy.value, row.balanced_accuracy.value) == (0.75, 0.5) for row in found.rows)


def test_every_mixture_is_of_three_minerals(table: PairTable) -> None:
    parts = triples(table.group, np.random.default_rng(0))
    assert np.bincount(parts[:, 0]).tolist() == [DRAWS] * len(table)
    assert all(len(set(table.group[row])) == 3 for row in parts)


def test_a_network_that_adds_up_loses_nothing_by_mixing(table: PairTable) -> None:
    """Answers that are linear in the source, and right: source and target are the same spectra."""

    def same(source: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return source, source, source, source.std(1, keepdim=True)

    twins = PairTable(table.source, table.source)
    target_mask = replace(twins.source, values=scaled(twins.source))
    found = mixtures(RECIPE, [(same, PairTable(target_mask, target_mask))])
    assert set(found) == set(COMPOSITIONS)
    for one in found.values():
        assert one.pearson.low == pytest.approx(1, abs=1e-4)  # float32
        assert one.pearson_apart.low == pytest.approx(1, abs=1e-4)
    assert found[PURE].familiarity_change.value == found[PURE].familiarity_falls.value == 0
    # The more of another mineral, the less a right answer is like the main part alone.
    of_main = [found[f"{share} % of another"].pearson_of_main.value for share in (5, 10, 20, 30, 50)]
    assert of_main == sorted(of_main, reverse=True)


def test_a_mixture_is_less_familiar_to_the_nearest_neighbour(table: PairTable, folds: list[Fold]) -> None:
    found = mixtures(RECIPE, [(network, table.rows(held)) for network, held in folds])
    assert found["50 % of another"].familiarity_change.high < 0
    assert found["50 % of another"].familiarity_falls.low > 0.5
    assert found["50 % of another"].pearson.value < found[PURE].pearson.value


def test_mixtures_need_three_minerals(table: PairTable) -> None:
    two = table.rows(np.flatnonzero(np.isin(table.group, np.unique(table.group)[:2])))
    with pytest.raises(DataError, match="three minerals"):
        mixtures(RECIPE, [(partial(look_up, two), two)])


def lines(fwhm: float, noise: float) -> NDArray[np.float32]:
    """Twenty spectra of three Gaussian lines on 500 points."""
    x, rng = np.arange(500), np.random.default_rng(0)
    u = (x - np.array([[100], [250], [400]])) / fwhm
    spectrum = np.exp(-4 * np.log(2) * u**2).sum(0)
    return np.asarray(spectrum + noise * rng.normal(size=(20, 500)), np.float32)


def test_widths_and_noise_are_those_that_were_drawn() -> None:
    axis, names = SpectralAxis(np.linspace(400, 1398, 500), "ir", "cm-1"), np.arange(20).astype(str)
    measured, generated = lines(10, 0.02), lines(20, 0.005)
    found = resolution(Transferred(measured, measured, generated, names, names, axis))
    assert found.pairs == 20
    assert found.fwhm_measured.value == pytest.approx(20, rel=0.1)  # 10 points of 2 cm-1; smoothing adds some
    assert found.fwhm_ratio.value == pytest.approx(2, rel=0.1)
    assert found.lines_ratio.value == 1
    assert found.snr_ratio.value == pytest.approx(4, rel=0.2)
    assert found.snr_measured.value == pytest.approx(50, rel=0.2)


def test_a_spectrum_without_lines_is_left_out() -> None:
    axis, names = SpectralAxis(np.linspace(400, 1398, 500), "ir", "cm-1"), np.arange(20).astype(str)
    generated = lines(10, 0.0)
    generated[:5] = 0.5
    assert resolution(Transferred(generated, lines(10, 0.01), generated, names, names, axis)).pairs == 15


def test_all_studies_of_a_protocol(table: PairTable, folds: list[Fold], answers: Looked, pairs: Transferred) -> None:
    found = studies(RECIPE, table, answers, folds, halves(pairs))
    assert set(found.classification) == {"family", "material"}
    assert found.claimed == {"generated": 0.94, "measured": 0.75}
    # Specimens of a simulated mineral are alike: whatever finds the right neighbour has its name.
    assert all(row.accuracy.value > 0.8 for row in found.classification["material"].rows)
    assert len(as_text(found).splitlines()) == 2 * len(PROBES) * len(ARMS) + len(COMPOSITIONS) + 1
    assert not family_task(pairs, {}).possible  # without families that task is left out


def test_the_command_fits_what_is_missing_and_records_it(tmp_path: Path, table: PairTable, pairs: Transferred) -> None:
    plan, out, labels, data = (tmp_path / name for name in ("plan.toml", "out.json", "labels.npz", "data.npz"))
    np.savez(data, raman=table.source.values, raman_axis=table.source.axis.values, ir=table.target.values,
             ir_axis=table.target.axis.values, mineral=table.group, rruff_id=table.source.identity)  # fmt: skip
    plan.write_text(text(short("raman-to-ir", steps=2)))
    known = halves(pairs)
    np.savez(labels, mineral=np.array(list(known)), family=np.array(list(known.values())))
    words = ["transfer-studies", str(plan), "--data", str(data), "--labels", str(labels), "--folds", "2",
             "--work", str(tmp_path / "work"), "-o", str(out)]  # fmt: skip
    result = CliRunner().invoke(bench, words, catch_exceptions=False)
    assert result.exit_code == 0
    found = msgspec.json.decode(out.read_bytes())["raman-ir"]["mineral"]
    assert set(found["classification"]) == {"family", "material"}
    assert set(found["mixtures"]) == set(COMPOSITIONS)
    assert set(found["mixtures"][PURE]["pearson"]) == {"value", "low", "high"}
    with pytest.raises(UsageError, match="--protocol specimen: choose random, id, mineral"):
        CliRunner().invoke(bench, [*words, "--protocol", "specimen"], catch_exceptions=False)
