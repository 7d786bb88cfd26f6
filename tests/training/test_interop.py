"""Spectra to and from the objects of RamanSPy: by their attributes, and by RamanSPy itself where it is installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, DataError, UsageError
from lineshape_training.interop import from_ramanspy, to_ramanspy

SHIFTS = np.linspace(200.0, 1800.0, 50)
AXIS = SpectralAxis.of(SHIFTS, "raman")


def held(shape: tuple[int, ...], axis: np.ndarray = SHIFTS, seed: int = 0) -> Any:
    """What RamanSPy's objects hold."""
    return SimpleNamespace(spectral_data=np.random.default_rng(seed).random(shape), spectral_axis=axis)


def pair(data: Any, axis: Any) -> tuple[Any, Any]:
    return data, axis


@pytest.mark.parametrize(("shape", "n"), [((50,), 1), ((7, 50), 7), ((2, 3, 50), 6), ((2, 3, 4, 50), 24)])
def test_spectra_of_any_shape_become_rows(shape: tuple[int, ...], n: int) -> None:
    item = held(shape)
    values, axis = from_ramanspy(item)
    assert axis == AXIS
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, item.spectral_data.reshape(n, 50).astype(np.float32))


def test_several_objects_stand_under_each_other() -> None:
    items = [held((50,), seed=1), held((2, 3, 50), seed=2)]
    values, _ = from_ramanspy(items)
    np.testing.assert_array_equal(values, np.concatenate([from_ramanspy(item)[0] for item in items]))


def test_an_object_is_made_in_shifts() -> None:
    laser = 532.0
    wavelengths = SpectralAxis(1e7 / (1e7 / laser - SHIFTS), "raman", "nm", laser_nm=laser)
    values = np.ones((3, 50), np.float32)
    data, shifts = to_ramanspy(values, wavelengths, pair)
    assert data is values
    np.testing.assert_allclose(shifts, SHIFTS, atol=1e-8)  # there and back in float64, of numbers near 2e4


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "is empty"),
        ([held((50,)), held((50,), SHIFTS + 1)], "object 1 stands on another axis"),
        ([held((50,)), held((50,), SHIFTS[:-1])], "object 1 stands on another axis"),
        (held((3, 49)), r"object 0 holds values \(3, 49\)"),
        (np.ones((3, 50)), "a ndarray, has no spectral_axis"),
        (SimpleNamespace(spectral_data=np.full((2, 50), np.nan), spectral_axis=SHIFTS), "spectrum 0 of object 0"),
    ],
)
def test_objects_that_cannot_be_used_are_refused(items: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_ramanspy(items)


def test_only_raman_spectra_on_their_own_axis_go_out() -> None:
    with pytest.raises(UsageError, match="of ir"):
        to_ramanspy(np.ones(50), SpectralAxis.of(SHIFTS, "ir"), pair)
    with pytest.raises(DataError, match="do not fit an axis of 50 points"):
        to_ramanspy(np.ones((2, 49)), AXIS, pair)
    with pytest.raises(AxisError, match="laser"):
        to_ramanspy(np.ones(50), SpectralAxis.of(SHIFTS, "raman", "nm"), pair)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("Spectrum", (50,)),
        ("SpectralContainer", (3, 50)),
        ("SpectralImage", (2, 3, 50)),
        ("SpectralVolume", (2, 3, 2, 50)),
    ],
)
def test_ramanspy_itself_takes_and_gives_them(kind: str, shape: tuple[int, ...]) -> None:
    ramanspy = pytest.importorskip("ramanspy", reason="needs RamanSPy: pip install ramanspy")
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    made = to_ramanspy(values, AXIS, getattr(ramanspy, kind))
    assert isinstance(made, getattr(ramanspy, kind))
    back, axis = from_ramanspy(made)
    assert axis == AXIS
    np.testing.assert_array_equal(back, values.reshape(-1, 50))
    smooth, _ = from_ramanspy(ramanspy.preprocessing.denoise.SavGol(window_length=9, polyorder=3).apply([made]))
    assert smooth.shape == back.shape
    descending = to_ramanspy(values[..., ::-1], AXIS.reversed(), getattr(ramanspy, kind))  # RamanSPy sorts its axis
    np.testing.assert_array_equal(from_ramanspy(descending)[0], back)
