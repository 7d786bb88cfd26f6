"""Axes are what they claim to be, and units convert where physics says so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.axis import CU_K_ALPHA, SpectralAxis
from lineshape.errors import AxisError

PHOTON = ["nm", "um", "cm-1", "THz", "eV"]


@given(unit=st.sampled_from(PHOTON), first=st.floats(200, 3000), span=st.floats(10, 3000), n=st.integers(2, 50))
def test_photon_units_convert_there_and_back(unit: str, first: float, span: float, n: int) -> None:
    axis = SpectralAxis.regular("nir", first, first + span, n)
    # Each way is at most two divisions: a few units in the last place of float64.
    np.testing.assert_allclose(axis.to(unit).to("nm").values, axis.values, rtol=1e-14)


def test_photon_units_meet_at_known_points() -> None:
    at = SpectralAxis.of([1000.0, 2000.0], "nir")
    assert at.to("cm-1").values.tolist() == [10000.0, 5000.0]
    assert at.to("um").values.tolist() == [1.0, 2.0]
    # A photon of 1 um: 299.792458 THz (definition of the metre), 1.239842 eV (CODATA).
    assert at.to("THz").first == pytest.approx(299.792458, rel=1e-12)
    assert at.to("eV").first == pytest.approx(1.239841984, rel=1e-9)
    assert at.to("cm-1").order == "descending"


def test_raman_shift_is_counted_from_the_laser() -> None:
    silicon = SpectralAxis.of([520.7, 1000.0], "raman", laser_nm=532.0)
    # 1e7 / (1e7/532 - 520.7) nm
    assert silicon.to("nm").first == pytest.approx(547.15693, abs=1e-5)
    np.testing.assert_allclose(silicon.to("nm").to("cm-1").values, silicon.values, rtol=1e-12)


def test_bragg() -> None:
    quartz = SpectralAxis.of([26.64, 50.14], "xrd", xray_angstrom=CU_K_ALPHA)
    # Quartz 101 and 112: d = 3.343 and 1.818 angstrom.
    np.testing.assert_allclose(quartz.to("angstrom").values, [3.3434, 1.8179], atol=2e-4)
    np.testing.assert_allclose(quartz.to("angstrom").to("deg 2theta").values, quartz.values, rtol=1e-12)


@pytest.mark.parametrize(
    ("axis", "unit", "why"),
    [
        (SpectralAxis.of([100.0, 200.0], "raman"), "nm", "laser_nm"),
        (SpectralAxis.of([10.0, 20.0], "xrd"), "angstrom", "xray_angstrom"),
        (SpectralAxis.of([2000.0, 3000.0], "maldi"), "nm", "does not convert"),
        (SpectralAxis.of([10.0, 20.0], "xrd", xray_angstrom=1.5), "nm", "does not convert"),
        (SpectralAxis.of([0.0, 20.0], "ir"), "nm", "above 0 only"),
        (SpectralAxis.of([100.0, 19000.0], "raman", laser_nm=532.0), "nm", "beyond the 532 nm laser"),
        (SpectralAxis.of([0.1, 5.0], "xrd", "angstrom", xray_angstrom=1.5), "deg 2theta", "no angle diffracts"),
    ],
)
def test_a_conversion_without_meaning_says_what_is_missing(axis: SpectralAxis, unit: str, why: str) -> None:
    with pytest.raises(AxisError, match=why):
        axis.to(unit)


@pytest.mark.parametrize(
    ("values", "why"),
    [([1.0], "at least 2"), ([[1.0, 2.0]], "one row"), ([1, np.nan, 2], "point 1 is"), ([1, 3, 2], "points 1 and 2"),
     ([1, 1, 2], "points 0 and 1"), ([5, 4, 4], "points 1 and 2")],
)  # fmt: skip
def test_what_is_no_axis_is_refused(values: list[float], why: str) -> None:
    with pytest.raises(AxisError, match=why):
        SpectralAxis.of(values, "ir")


def test_a_modality_unknown_to_the_code_is_welcome_and_names_its_unit() -> None:
    assert SpectralAxis.regular("photoacoustic", 1, 2, 3, "um").unit == "um"
    with pytest.raises(AxisError, match="no usual unit"):
        SpectralAxis.regular("photoacoustic", 1, 2, 3)
    with pytest.raises(AxisError, match="unknown unit"):
        SpectralAxis.regular("ir", 1, 2, 3, "furlong")  # type: ignore[arg-type]


def test_points_are_frozen_and_compared_by_value() -> None:
    axis = SpectralAxis.regular("ir", 400, 4000, 10)
    with pytest.raises(ValueError, match="read-only"):
        axis.values[0] = 1
    assert axis == SpectralAxis.regular("ir", 400, 4000, 10) != axis.reversed()
    assert axis.is_regular
    assert not SpectralAxis.of([1.0, 2.0, 4.0], "ir").is_regular
