"""What the library of a fit answers: the nearest spectrum, another laser, other widths; and what it refuses to be."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.errors import BundleError, UnsupportedBundle
from lineshape.library import OTHER_WIDTH, Library, decode_library, encode_library, line_width

AXIS = SpectralAxis.regular("raman", 200, 1199, 500)  # a point every 2 cm-1
ALL = np.ones(len(AXIS))


def lines(*positions: float, fwhm: float = 12.0) -> np.ndarray:
    """Gaussian lines of height 1."""
    apart = (AXIS.values - np.array(positions)[:, None]) / fwhm
    return np.exp(-4 * np.log(2) * apart**2).sum(0)


def library(laser: float = 532.0, fwhm: float = 12.0) -> Library:
    source = np.stack([lines(400, 900), lines(500, 1000), 50 * lines(650)])
    return Library.of(["Quartz", "Topaz", "Beryl"], ["R1", "R2", "R3"], source, np.ones_like(source),
                      np.array([laser, laser, np.nan]), np.full(3, fwhm))  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(row=st.integers(0, 2), gain=st.floats(1e-3, 1e6), offset=st.floats(-10, 10), start=st.integers(0, 60))
def test_a_spectrum_finds_itself_whatever_its_scale_offset_and_range(
    row: int, gain: float, offset: float, start: int
) -> None:
    known = library()
    mask = np.where(np.arange(len(AXIS)) < start, 0.0, 1.0)
    spectrum = gain * (known.source[row].astype(float) + offset) * mask
    (match,) = known.nearest(spectrum[None], mask[None])
    assert match is not None
    assert (match.name, match.identity) == (known.name[row], known.identity[row])
    assert match.similarity == pytest.approx(1, abs=2e-3)  # spectra are kept in float16; means differ outside the range
    np.testing.assert_array_equal(match.intensities, known.source[row])


def test_the_similarity_is_the_correlation() -> None:
    known = library()
    asked = lines(410, 905, 1000) + 0.1
    (match,) = known.nearest(asked[None], ALL[None])
    assert match is not None
    assert match.similarity == pytest.approx(max(np.corrcoef(asked, one)[0, 1] for one in known.source.astype(float)),
                                             abs=1e-3)  # fmt: skip


def test_points_that_either_did_not_measure_do_not_count() -> None:
    half = np.where(AXIS.values < 700, 1.0, 0.0)
    source = np.stack([lines(400, 1000), lines(500, 900)])
    known = Library.of(["a", "b"], ["1", "2"], source, np.stack([half, half]), np.full(2, np.nan), np.full(2, np.nan))
    assert np.isnan(known.source[:, half == 0]).all()
    (match,) = known.nearest((lines(400) + 5 * lines(900))[None], ALL[None])
    assert match is not None
    assert match.name == "a"


def test_a_spectrum_without_structure_is_near_to_nothing() -> None:
    assert library().nearest(np.zeros((1, 500)), ALL[None]) == [None]
    assert library().nearest(np.ones((1, 500)), np.zeros((1, 500))) == [None]


def test_another_laser_is_said_and_a_rounded_one_is_not() -> None:
    known = library()
    assert known.cautions(None, 12.0, "cm-1") == known.cautions(533.0, 12.0, "cm-1") == ()
    (told,) = known.cautions(785.0, 12.0, "cm-1")
    assert "785 nm" in told
    assert "(532 nm)" in told
    assert library(laser=np.nan).cautions(785.0, 12.0, "cm-1") == ()  # nobody knows what the fit's lasers were


@pytest.mark.parametrize(("fwhm", "word"), [(12 * OTHER_WIDTH * 1.01, "wider"), (12 / OTHER_WIDTH / 1.01, "narrower")])
def test_other_widths_are_said(fwhm: float, word: str) -> None:
    (told,) = library().cautions(532.0, fwhm, "cm-1")
    assert f"are {word} than the fit's (12 to 12 cm-1)" in told
    assert library().cautions(532.0, float("nan"), "cm-1") == ()
    assert library(fwhm=float("nan")).cautions(532.0, fwhm, "cm-1") == ()


@pytest.mark.parametrize("fwhm", [8.0, 15.0, 40.0])
def test_the_width_of_lines_is_found_below_background_and_noise(fwhm: float) -> None:
    rng = np.random.default_rng(0)
    spectrum = lines(350, 600, 950, fwhm=fwhm) + 3e-3 * AXIS.values + 0.01 * rng.standard_normal(len(AXIS))
    # Smoothing over 5 points of 2 cm-1 each widens an 8 cm-1 line most; noise moves where half the height is crossed.
    assert line_width(spectrum, ALL, AXIS) == pytest.approx(fwhm, rel=0.2)


def test_the_width_is_that_of_the_narrow_lines_and_of_measured_points() -> None:
    spectrum = lines(350, 450, 550, fwhm=12) + lines(900, fwhm=120)
    assert line_width(spectrum, ALL, AXIS) == pytest.approx(12, rel=0.1)
    hole = np.where(np.abs(AXIS.values - 350) < 20, 0.0, 1.0)
    assert line_width(spectrum * hole, hole, AXIS) == pytest.approx(12, rel=0.1)


def test_a_spectrum_without_lines_has_no_width() -> None:
    rng = np.random.default_rng(1)
    for values in (np.zeros(500), AXIS.values, rng.standard_normal(500)):
        assert np.isnan(line_width(values, ALL, AXIS))
    assert np.isnan(line_width(lines(400), np.zeros(500), AXIS))


def test_what_was_written_is_read_back_and_twice_the_same_bytes() -> None:
    known = library()
    content = encode_library(known)
    found = decode_library(content, 500)
    assert content == encode_library(known)
    assert (len(found), list(found.name), list(found.identity)) == (3, list(known.name), list(known.identity))
    for one in ("source", "laser_nm", "fwhm"):
        np.testing.assert_array_equal(getattr(found, one), getattr(known, one))


def arrays(**changed: np.ndarray | None) -> bytes:
    known = library()
    whole = {"name": np.array(known.name), "identity": np.array(known.identity), "source": known.source,
             "laser_nm": known.laser_nm, "fwhm": known.fwhm} | changed  # fmt: skip
    out = io.BytesIO()
    np.savez(out, **{name: array for name, array in whole.items() if array is not None})
    return out.getvalue()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"fwhm": None}, "holds no fwhm"),
        ({"fwhm": np.zeros(2, np.float32)}, r"fwhm is float32 \[2\], not float32 \[3\]"),
        ({"fwhm": np.zeros(3)}, "fwhm is float64"),
        ({"fwhm": np.full(3, np.inf, np.float32)}, "fwhm holds an infinite number"),
        ({"source": np.zeros((3, 499), np.float16)}, r"source is float16 \[3, 499\], not float16 \[3, 500\]"),
        ({"identity": np.zeros(3)}, "identity is float64"),
        ({"name": np.array(["a", "b", "\x1b[2J"])}, "not one line of text"),
        ({"name": np.array([], "U4")}, r"name is <U4 \[0\]"),
        ({"name": np.full(3, 0x7FFFFFFF, np.uint32).view("<U1")}, "name is no text"),
        ({"name": np.array([{}], object)}, "objects"),
    ],
)
def test_what_is_no_library_is_refused_by_name(changed: dict[str, np.ndarray], why: str) -> None:
    with pytest.raises(UnsupportedBundle, match=why):
        decode_library(arrays(**changed), 500)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_a_bundle_error_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(encode_library(library()))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleError):
        decode_library(bytes(content[: data.draw(st.integers(0, len(content)))]), 500)
