"""SpectroGen: what its memory says, what it may learn from, and modalities that it was never told of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.errors import DataError, RecipeError, UsageError
from lineshape_training import fitting
from lineshape_training.families.spectrogen import SpectroGen
from lineshape_training.loading import load_table
from lineshape_training.minerals.formulas import constituents
from lineshape_training.peaks import anchored_lines
from lineshape_training.recipe import DataSpec, FitSpec, Recipe, ReferencesSpec
from lineshape_training.scores import pearson
from lineshape_training.spectra import PairTable, SpectraTable
from lineshape_training.spectrogen.config import SpectroGenConfig
from lineshape_training.spectrogen.decoder import Lines
from lineshape_training.spectrogen.flow import laid
from lineshape_training.spectrogen.memory import Memory, group_residuals

SMALL = {"hidden": 32, "latent": 8, "drawing": 32, "hop": 4, "reach": 3, "target_width": (2.0, 12.0)}
SOURCE = SpectralAxis.regular("uv-vis", 300, 700, 81, "nm")
TARGET = SpectralAxis.regular("terahertz", 0.5, 3.5, 61, "THz")


def specimens(axis: SpectralAxis, places: np.ndarray, group: np.ndarray, seed: int) -> SpectraTable:
    """Two lines of each material, where `places` says on a scale of 0 to 1, and some noise of each specimen."""
    grid, rng = np.linspace(0, 1, len(axis.values)), np.random.default_rng(seed)
    values = np.exp(-(((grid - places[..., None]) / 0.03) ** 2)).sum(1) + 0.02 * rng.random((len(places), len(grid)))
    values = values.astype(np.float32)
    identity = np.arange(len(group)).astype(str)
    return SpectraTable(values, np.ones_like(values), axis, group, identity)


def pairs(materials: int = 12, each: int = 3) -> PairTable:
    """Materials whose lines in one modality are those of the other, mirrored; and references of twice as many."""
    places = np.random.default_rng(0).random((2 * materials, 2))
    of = np.repeat(np.arange(2 * materials), each)
    names = np.array([f"m{k:02}" for k in of])
    known = of < materials
    beside = specimens(SOURCE, places[of], names, 2)
    left = np.where(places[of].mean(1) < 0.5, "left", "right")
    return PairTable(
        specimens(SOURCE, places[of[known]], names[known], 0),
        specimens(TARGET, 1 - places[of[known]], names[known], 1),
        replace(beside, label=left, analytes={"first": places[of, 0].round()}),
    )  # fmt: skip


def plan(steps: int = 4, **model: object) -> Recipe:
    """A recipe between two modalities that stand nowhere in the code."""
    fit = FitSpec(steps=steps, evaluate_every=steps, batch=8, learning_rate=2e-3, folds=3, holdouts=2)
    return Recipe(
        name="uv-vis-to-terahertz", family="spectrogen", about="Made up", model=SMALL | model, fit=fit,
        data=DataSpec(source="uv-vis", spectrum="terahertz", group="material", identity="specimen"),
        references=ReferencesSpec(group="material", label="side", analytes=("first",)),
        axes={"source": AxisSpec.of(SOURCE), "spectrum": AxisSpec.of(TARGET)},
    )  # fmt: skip


def fitted(recipe: Recipe, table: PairTable, out: Path) -> torch.nn.Module:
    run = fitting.fit(recipe, table, out, data="made up", data_sha256="made up")
    return SpectroGen().contract(run.network(), recipe).eval()


def tensors(table: SpectraTable) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(table.values), torch.from_numpy(table.mask)


def test_modalities_are_data_a_file_and_a_recipe_are_enough(tmp_path: Path) -> None:
    table = pairs()
    assert table.references is not None
    np.savez(
        tmp_path / "pairs.npz", material=table.group, specimen=table.source.identity,
        **{"uv-vis": table.source.values, "uv-vis_axis": SOURCE.values},
        **{"terahertz": table.target.values, "terahertz_axis": TARGET.values},
    )  # fmt: skip
    np.savez(
        tmp_path / "known.npz", material=table.references.group, side=table.references.labels,
        first=table.references.analytes["first"],
        **{"uv-vis": table.references.values, "uv-vis_axis": SOURCE.values},
    )  # fmt: skip
    recipe = plan(steps=150)
    loaded = load_table(str(tmp_path / "pairs.npz"), recipe, references=str(tmp_path / "known.npz"))
    assert isinstance(loaded, PairTable)
    contract = fitted(recipe, loaded, tmp_path / "run")
    with torch.no_grad():
        spectrum, lower, upper, familiarity = contract(*tensors(table.source))
    assert spectrum.shape == (len(table), 61)
    assert familiarity.shape == (len(table), 1)
    assert (lower <= spectrum).all()
    assert (spectrum <= upper).all()
    # It was fitted on these very pairs, and has a memory.
    assert float(pearson(spectrum, *tensors(table.target)).mean()) > 0.95


def test_references_need_a_place_in_the_recipe_and_a_transfer() -> None:
    told = msgspec.structs.replace(plan(), references=None)
    with pytest.raises(UsageError, match=r"has no \[references\]"):
        load_table("embedded", msgspec.structs.replace(told, **in_minerals()), references="known.npz")
    with pytest.raises(ValueError, match="for a transfer"):
        msgspec.structs.replace(
            plan(), data=DataSpec(spectrum="raman", group="g"), axes={"spectrum": AxisSpec.of(SOURCE)}
        )


def in_minerals() -> dict[str, object]:
    axes = {
        "source": SpectralAxis.regular("ir", 400, 1800, 81),
        "spectrum": SpectralAxis.regular("raman", 150, 1300, 81),
    }
    return {
        "data": DataSpec(source="ir", spectrum="raman", group="mineral"),
        "axes": {name: AxisSpec.of(axis) for name, axis in axes.items()},
    }


@given(st.sets(st.integers(0, 35), min_size=1))
@settings(max_examples=25, deadline=None)
def test_references_of_a_material_that_is_held_out_in_part_are_left_out(rows: set[int]) -> None:
    table = pairs()
    kept = table.rows(np.array(sorted(rows)))
    left = set(table.group.tolist()) - {
        name for name in table.group if {i for i in range(36) if table.group[i] == name} <= rows
    }  # fmt: skip
    assert kept.references is not None
    assert not left & set(kept.references.group.tolist())
    assert set(table.references.group.tolist()) - left == set(kept.references.group.tolist())


def test_no_fold_learns_from_the_references_of_its_own_materials(tmp_path: Path) -> None:
    """Spoil the references of every material that a fold holds out: that fold's weights stay the same, bit for bit."""
    table, recipe = pairs(), plan()
    assert table.references is not None
    fitted(recipe, table, tmp_path / "whole")
    folds = fitting.group_folds(table.group, recipe.fit.folds, 0)[: recipe.fit.holdouts]
    for number, (_, held) in enumerate(folds):
        mine = np.isin(table.references.group, table.group[held])
        values = np.where(mine[:, None], 9 - table.references.values, table.references.values)
        labels = np.where(mine, "right", table.references.labels)
        spoiled = replace(table, references=replace(table.references, values=values, label=labels))
        fitted(recipe, spoiled, tmp_path / f"spoiled-{number}")
        weights = [
            {path.name: path.read_bytes() for path in (tmp_path / run / f"fold-{number}").glob("step-*")}
            for run in ("whole", f"spoiled-{number}")
        ]
        assert weights[0]
        assert weights[0] == weights[1], f"fold {number}"


def test_a_flow_that_starts_at_the_source_is_another_way_to_draw(tmp_path: Path) -> None:
    table, recipe = pairs(), plan(steps=400, decoder="flow", evaluations=2)
    run = fitting.fit(recipe, table, tmp_path / "run", data="made up", data_sha256="made up")
    network = run.network()
    source, mask = tensors(table.source)
    with torch.no_grad():
        features, _ = network.reading(source, mask)
        drawn = network.decoder(network.encoder(features)[0], source)
    assert float(pearson(drawn, *tensors(table.target)).mean()) > 0.9


def test_a_source_is_laid_on_the_targets_grid_where_it_was_measured_or_end_to_end() -> None:
    raman, ir = (AxisSpec.of(SpectralAxis.regular(*axis)) for axis in (("raman", 100, 500, 81), ("ir", 300, 700, 41)))
    line = torch.linspace(100, 500, 81)
    placed = line @ laid(raman, ir)
    torch.testing.assert_close(placed[:21], torch.linspace(300, 500, 21))
    assert not placed[21:].any()  # beyond the source's end
    stretched = torch.linspace(0, 1, 81) @ laid(AxisSpec.of(SOURCE), AxisSpec.of(TARGET))
    torch.testing.assert_close(stretched, torch.linspace(0, 1, 61))


def test_reconstruction_is_a_transfer_whose_two_axes_are_the_same(tmp_path: Path) -> None:
    table = pairs()
    same = PairTable(table.source, table.source)
    recipe = msgspec.structs.replace(
        plan(steps=150), data=DataSpec(source="uv-vis", spectrum="uv-vis", group="material", identity="specimen"),
        references=None, axes={name: AxisSpec.of(SOURCE) for name in ("source", "spectrum")},
    )  # fmt: skip
    run = fitting.fit(recipe, same, tmp_path / "run", data="made up", data_sha256="made up")
    contract = SpectroGen().contract(run.network(), recipe, "reconstruct")
    assert [output.name for output in contract.outputs] == ["spectrum"]
    with torch.no_grad():
        (spectrum,) = contract(*tensors(table.source))
    assert float(pearson(spectrum, *tensors(table.source)).mean()) > 0.95
    with pytest.raises(RecipeError, match="goes from uv-vis to terahertz"):
        SpectroGen().contract(run.network(), plan(), "reconstruct")


@pytest.fixture
def remembered() -> tuple[Memory, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A settled memory; latents, slopes, targets and groups of its materials, the last two of the same target."""
    generator = torch.Generator().manual_seed(0)
    latents, slopes = torch.randn(9, 4, generator=generator), torch.randn(9, 12, generator=generator)
    slopes = slopes / slopes.norm(dim=1, keepdim=True)
    targets = torch.rand(9, 20, generator=generator)
    targets[8] = targets[7]
    group = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 4])
    memory = Memory(SpectroGenConfig(latent=4, taught=0.3, knot=5), 20, 0.5)
    memory.begin(slopes, slopes, targets, group)
    memory.settle(latents, torch.ones_like(targets), group)
    return memory, latents, slopes, targets, group


def test_the_memory_holds_each_target_once(remembered: tuple[Memory, ...]) -> None:
    memory = remembered[0]
    assert memory.patterns.shape == (8, 20)
    assert memory.member[7].tolist() == memory.member[8].tolist()


def test_the_memory_looks_up_what_it_has_seen(remembered: tuple[Memory, ...]) -> None:
    memory, latents, slopes, targets, _ = remembered
    memory.place.fill_(-9)  # any match is good enough
    memory.config = msgspec.structs.replace(memory.config, sharpness=1e3)
    # Patterns are kept in half precision, of 11 bits.
    torch.testing.assert_close(memory(latents, slopes, slopes).spectrum, targets, atol=2**-11, rtol=0)


def test_what_is_not_looked_up_is_kernel_ridge_regression(remembered: tuple[Memory, ...]) -> None:
    memory, latents, slopes, targets, group = remembered
    memory.place.fill_(9)  # no match is
    config, count = memory.config, torch.bincount(group)[group].double()
    off, kernel = ~torch.eye(9, dtype=torch.bool), torch.zeros(9, 9, dtype=torch.float64)
    for share, of in ((0.3, latents), (0.7, slopes)):  # the slopes stand for the features
        apart = torch.cdist(of, of).double().square()
        kernel += share * torch.exp(-apart / (2 * config.kinship**2 * apart[off].median()))
    mean = (targets / count[:, None]).sum(0) / (1 / count).sum()
    dual = torch.linalg.solve(kernel + torch.diag(config.ridge * count), targets.double() - mean)
    # Features and patterns are kept in half precision.
    torch.testing.assert_close(
        memory(latents, slopes, slopes).spectrum.double(), mean + kernel @ dual, atol=2e-3, rtol=0
    )


def test_a_whole_group_is_left_out_without_another_fit() -> None:
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(7, 7, generator=generator, dtype=torch.float64)
    kernel, targets = root @ root.T + torch.eye(7, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    group = torch.tensor([0, 1, 1, 2, 2, 2, 0])
    found = group_residuals(torch.linalg.inv(kernel), targets, group)
    for name in range(3):
        held, known = group == name, group != name
        # The ridge stands in the kernel's diagonal, so it is no part of the kernel between held and known rows.
        answer = kernel[held][:, known] @ torch.linalg.solve(kernel[known][:, known], targets[known])
        torch.testing.assert_close(found[held], targets[held] - answer)


def test_the_lines_of_a_drawn_spectrum_are_found_where_they_were_drawn() -> None:
    drawer = Lines(SpectroGenConfig(hop=16, reach=6, target_width=(4.0, 40.0)), 320, 0.5)
    position, height, width = torch.zeros(1, 20), torch.zeros(1, 20), torch.zeros(1, 20)
    position[0, 5], height[0, 5], width[0, 5] = 0.3, 0.8, 0.4
    spectrum = drawer.render(position, height, width, torch.full((1, 20), 0.5))
    place, high, wide = anchored_lines(spectrum, drawer.render)[0]
    assert high.nonzero()[:, 0].tolist() == [5]
    # A hop has 16 points; peaks are found to a fraction of a point, and widths to a twentieth.
    assert abs(float(place[5]) - np.tanh(0.3)) < 0.03
    assert abs(float(high[5]) - 0.8) < 0.02
    assert abs(float(wide[5]) - 1 / (1 + np.exp(-0.4))) < 0.05


def test_a_formula_tells_elements_and_groups_of_atoms() -> None:
    found = constituents(["CaCO_3_", "CaSO_4_&#183;2H_2_O", "Fe^3+^_2_O_3_", "ZnS"])
    told = {name: column.astype(bool).tolist() for name, column in found.items()}
    assert told["CO3"] == [True, False, False, False]
    assert told["SO4"] == told["H2O"] == [False, True, False, False]
    assert told["Ca"] == [True, True, False, False]
    assert told["oxide"] == [False, False, True, False]
    assert told["no oxygen"] == [False, False, False, True]


def test_references_without_the_column_that_the_recipe_names_are_refused(tmp_path: Path) -> None:
    table = pairs()
    np.savez(tmp_path / "pairs.npz", material=table.group, specimen=table.source.identity,
             **{"uv-vis": table.source.values, "uv-vis_axis": SOURCE.values},
             **{"terahertz": table.target.values, "terahertz_axis": TARGET.values})  # fmt: skip
    np.savez(tmp_path / "known.npz", material=table.group, side=table.group,
             **{"uv-vis": table.source.values, "uv-vis_axis": SOURCE.values})  # fmt: skip
    with pytest.raises(DataError, match="first"):
        load_table(str(tmp_path / "pairs.npz"), plan(), references=str(tmp_path / "known.npz"))
