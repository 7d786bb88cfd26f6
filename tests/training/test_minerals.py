"""The embedded mineral library: its table against known facts and measured spectra, and what is rendered from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lineshape.errors import UsageError
from lineshape_training.minerals import AXES, Mineral, load_library, load_minerals, mineral_pairs, mineral_spectra
from lineshape_training.minerals.instrument import Instrument
from lineshape_training.minerals.library import Modality
from lineshape_training.minerals.render import ideal, measure
from lineshape_training.minerals.specimen import draw_specimen

MINERALS = {m.name: m for m in load_minerals()}
SHARP = Instrument(resolution=0.07, offset=0.0)
Floats = NDArray[np.float64]


def typical(mineral: Mineral, modality: Modality) -> Floats:
    """Sum of the ideal spectra of a few specimens."""
    ideals = [ideal(draw_specimen(mineral, k, 0).lines(modality), SHARP, modality) for k in range(5)]
    return np.asarray(np.sum(ideals, axis=0), np.float64)


def pearson(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1])


# The table -----------------------------------------------------------------------------------------------------------


def test_there_are_40_minerals_and_25_with_ir() -> None:
    assert len(MINERALS) >= 40
    assert sum(m.ir is not None for m in MINERALS.values()) >= 25
    assert list(MINERALS) == sorted(MINERALS)


def test_the_library_says_that_its_spectra_are_simulated_and_where_it_comes_from() -> None:
    library = load_library()
    assert "simulated" in library.about
    assert all(name in library.sources for name in ("COD", "AMCSD", "RRUFF"))


@pytest.mark.parametrize("mineral", load_minerals(), ids=lambda m: m.name)
def test_every_number_is_cited_and_plausible(mineral: Mineral) -> None:
    assert re.match(r"(COD \d{7}|AMCSD \d{7}); .+\(\d{4}\)", mineral.xrd.source)
    assert re.fullmatch(r"RRUFF R\d{6}, \d{3} nm", mineral.raman.source)
    assert mineral.ir is None or re.fullmatch(r"RRUFF R\d{6}", mineral.ir.source)
    assert re.fullmatch(r"[A-Za-z0-9()\[\].,·+\-xn□ ]+", mineral.formula)
    for fitted in filter(None, (mineral.raman, mineral.ir)):
        assert fitted.r2 >= 0.9
        assert max(line.height for line in fitted.lines) == 1
        assert [line.position for line in fitted.lines] == sorted(line.position for line in fitted.lines)
        assert all(line.height > 0 and 1.9 < line.fwhm <= 250 and 0 <= line.eta <= 1 for line in fitted.lines)
    assert max(stick.area for stick in mineral.xrd.lines) == 1
    assert all(5 <= stick.two_theta <= 90 for stick in mineral.xrd.lines)


# Textbook positions of strong Raman lines of pure minerals, cm-1. Calibration and natural composition move them by a
# few cm-1, and rutile, which is rarely pure, by more.
KNOWN_RAMAN = {
    "Quartz": [206, 464],
    "Anatase": [144, 397, 516, 639],
    "Rutile": [447, 612],
    "Corundum": [418, 645],
    "Aragonite": [1085],
    "Magnesite": [1094],
    "Rhodochrosite": [1086],
    "Fluorite": [322],
    "Baryte": [988],
    "Zircon": [1008],
    "Fluorapatite": [964],
    "Zincite": [438],
    "Pyrite": [343, 379],
}


@pytest.mark.parametrize("name", sorted(KNOWN_RAMAN))
def test_raman_lines_stand_where_the_textbooks_have_them(name: str) -> None:
    positions = np.array([line.position for line in MINERALS[name].raman.lines if line.height > 0.05])
    for known in KNOWN_RAMAN[name]:
        assert np.abs(positions - known).min() < (8 if name == "Rutile" else 5), f"{known}: {positions}"


# Textbook two-theta of the strongest powder lines for Cu K-alpha 1; cells of natural specimens differ by .1 degree.
KNOWN_XRD = {
    "Quartz": [20.86, 26.64],
    "Corundum": [25.57, 35.15, 43.35, 57.50],
    "Rutile": [27.44, 36.08, 54.32],
    "Anatase": [25.30],
    "Fluorite": [28.27, 47.00],
    "Hematite": [33.15, 35.61],
    "Pyrite": [33.05, 56.28],
    "Zincite": [31.77, 34.42, 36.25],
    "Magnesite": [32.63],
}


@pytest.mark.parametrize("name", sorted(KNOWN_XRD))
def test_powder_lines_stand_where_the_textbooks_have_them(name: str) -> None:
    strong = np.array([stick.two_theta for stick in MINERALS[name].xrd.lines if stick.area > 0.15])
    for known in KNOWN_XRD[name]:
        assert np.abs(strong - known).min() < 0.12, f"{known}: {strong}"


def test_carbonates_and_sulfates_have_their_ir_bands() -> None:
    # Asymmetric stretch: carbonate about 1350 to 1500 cm-1, sulfate about 1040 to 1130 cm-1.
    for names, low, high in (
        (("Aragonite", "Cerussite", "Ankerite"), 1330, 1500),
        (("Baryte", "Celestine"), 1030, 1130),
    ):
        for name in names:
            bands = MINERALS[name].ir
            assert bands is not None
            strongest = max(bands.lines, key=lambda line: line.height)
            assert low < strongest.position < high, name


# What is rendered ----------------------------------------------------------------------------------------------------


def test_rendering_is_reproducible_and_a_specimen_does_not_depend_on_how_many_there_are() -> None:
    few, again, many = (mineral_spectra("raman", n, seed=3) for n in (2, 2, 3))
    assert np.array_equal(few.values, again.values)
    shared = np.isin(many.identity, few.identity)
    assert np.array_equal(many.values[shared], few.values)
    assert not np.array_equal(mineral_spectra("raman", 2, seed=4).values, few.values)


def test_pairs_hold_the_same_specimens_on_the_stated_axes() -> None:
    pairs = mineral_pairs("raman", "ir", specimens=2, seed=0)
    assert pairs.source.values.shape == (len(pairs), 1151)
    assert pairs.target.values.shape == (len(pairs), 701)
    assert set(pairs.group) == {m.name for m in MINERALS.values() if m.ir is not None}
    assert len(set(pairs.source.identity)) == len(pairs)
    assert pairs.source.mask.all()
    assert pairs.target.values.dtype == np.float32
    assert np.array_equal(pairs.source.values, mineral_pairs("raman", "xrd", 2, 0).source.rows(
        np.flatnonzero(np.isin(mineral_spectra("raman", 2, 0).identity, pairs.source.identity))).values)  # fmt: skip
    assert mineral_spectra("xrd", 1, 0).axis.xray_angstrom == 1.5406


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(MINERALS)),
    st.sampled_from(["raman", "ir", "xrd"]),
    st.integers(0, 1000),
    st.integers(0, 2**53),
)
def test_spectra_are_finite_and_in_units_of_a_detector(name: str, modality: Modality, number: int, seed: int) -> None:
    if not MINERALS[name].has(modality):
        return
    spectrum = measure(draw_specimen(MINERALS[name], number, seed), modality)
    assert np.isfinite(spectrum).all()
    low, high = {"raman": (200, 3e5), "ir": (0.1, 1.5), "xrd": (100, 1e5)}[modality]
    assert low < spectrum.max() < high
    assert spectrum.min() > {"raman": -10 * 8, "ir": -0.1, "xrd": -1}[modality]


@pytest.mark.parametrize("modality", ["raman", "ir", "xrd"])
def test_the_strongest_peak_is_one_of_the_table_s_strong_lines(modality: Modality) -> None:
    # Strain, the scatter of single lines and the calibration move a line by 8 cm-1 or .35 degrees at most; bands
    # that overlap have their common maximum somewhere between them, within half a width.
    for mineral in (m for m in MINERALS.values() if m.has(modality)):
        peak = AXES[modality].values[int(np.argmax(measure(draw_specimen(mineral, 0, 1), modality)))]
        if modality == "xrd":
            near = [abs(x.two_theta - peak) < 0.35 for x in mineral.xrd.lines if x.area > 0.3]
        else:
            lines = getattr(mineral, modality).lines
            near = [abs(x.position - peak) < 8 + x.fwhm / 2 * (modality == "ir") for x in lines if x.height > 0.3]
        assert any(near), mineral.name


def test_a_stretched_lattice_moves_raman_lines_and_powder_lines_down_together() -> None:
    quartz = MINERALS["Quartz"]
    specimens = [draw_specimen(quartz, k, 0) for k in range(60)]
    strain = np.array([s.strain for s in specimens])
    main = int(np.argmax([line.height for line in quartz.raman.lines]))
    shift = np.array([s.lines("raman").position[main] for s in specimens])
    angle = np.array([s.lines("xrd").position[-1] for s in specimens])
    assert pearson(strain, shift) < -0.8  # the rest is the scatter of single lines
    assert pearson(strain, angle) < -0.999  # Bragg's law knows no scatter; not quite linear


@pytest.mark.parametrize(("source", "target", "specimens", "seed"),
                         [("raman", "raman", 1, 0), ("raman", "nmr", 1, 0), ("nmr", "ir", 1, 0), ("raman", "ir", 0, 0),
                          ("raman", "ir", 1, -1)])  # fmt: skip
def test_wrong_calls_are_refused(source: str, target: str, specimens: int, seed: int) -> None:
    with pytest.raises(UsageError):
        mineral_pairs(source, target, specimens, seed)


# Against measured spectra --------------------------------------------------------------------------------------------


def correlations(modality: Modality, measured: dict[str, Floats], blur: float) -> Floats:
    """Pearson of each rendered mineral (row) with each measured one (column)."""
    names = sorted(measured)
    rendered = [gaussian_filter1d(typical(MINERALS[name], modality), blur) for name in names]
    return np.array([[pearson(r, gaussian_filter1d(measured[n], blur)) for n in names] for r in rendered])


def test_rendered_powder_patterns_resemble_the_measured_ones_of_their_mineral(shared_data: Path) -> None:
    with np.load(shared_data / "rruff" / "xrd_patterns.npz") as file:
        axis, names, patterns = file["twotheta"], file["mineral"], file["patterns"].astype(float)
    measured = {
        str(n): np.interp(AXES["xrd"].values, axis, patterns[names == n].mean(0)) for n in set(names) & set(MINERALS)
    }
    assert len(measured) >= 20
    matrix = correlations("xrd", measured, blur=0.2 / (85 / 2047) / 2.355)  # .2 degrees FWHM
    assert np.mean(np.argmax(matrix, axis=1) == np.arange(len(matrix))) >= 0.9
    assert np.median(np.diag(matrix)) > 0.7


def test_rendered_raman_spectra_resemble_the_measured_ones_of_their_mineral(shared_data: Path) -> None:
    with np.load(shared_data / "rruff" / "raman_minerals.npz") as file:
        names, spectra = file["mineral"], file["spectra"].astype(float)
    measured = {n: np.pad(spectra[names == n].mean(0), (0, 50)) for n in MINERALS if n in names}
    matrix = correlations("raman", measured, blur=2.0)
    assert np.mean(np.argmax(matrix, axis=1) == np.arange(len(matrix))) >= 0.9
    assert np.median(np.diag(matrix)) > 0.7


def test_rendered_ir_spectra_resemble_the_measured_ones_of_their_mineral(shared_data: Path) -> None:
    with np.load(shared_data / "rruff" / "raman_ir_pairs.npz") as file:
        inside = file["ir_axis"] <= 1800
        names, spectra, whole = file["mineral"], file["ir"][:, inside], file["ir_mask"][:, inside].all(axis=1)
    measured = {n: spectra[(names == n) & whole].mean(0) for n, m in MINERALS.items() if m.ir is not None}
    matrix = correlations("ir", measured, blur=2.0)
    assert np.mean(np.argmax(matrix, axis=1) == np.arange(len(matrix))) >= 0.9
    assert np.median(np.diag(matrix)) > 0.9
