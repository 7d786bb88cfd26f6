"""What counts as the same answer: each value, the bulk of them, and where the peaks lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.bundle import Tolerance, check_close, peak_shifts
from lineshape.errors import ParityError

LENGTH = 200


def lines(*centres: float, height: float = 1.0) -> np.ndarray:
    """Lorentzian lines, far enough apart to be peaks of their own."""
    grid = np.arange(LENGTH)[None]
    return sum(height / (1 + ((grid - centre) / 3) ** 2) for centre in centres)


@given(st.integers(10, 60), st.integers(100, 180), st.integers(-5, 5))
def test_a_shift_is_found_in_grid_points(first: int, second: int, shift: int) -> None:
    rows, shifts = peak_shifts(lines(first, second), lines(first + shift, second))
    assert rows.tolist() == [0, 0]
    assert shifts.tolist() == [abs(shift), 0]


def test_noise_is_no_peak() -> None:
    flat = lines(100) + 0.005 * np.random.default_rng(0).standard_normal((1, LENGTH))
    assert len(peak_shifts(flat, flat)[0]) == 1
    assert len(peak_shifts(lines(5)[:, :8], lines(5)[:, :8])[0]) == 0  # too short to hold one


def check(tolerance: Tolerance, found: np.ndarray, expected: np.ndarray) -> None:
    check_close("model", {"spectrum": tolerance}, {"spectrum": expected}, {"spectrum": found}, "here",
                {"seed": np.array([[7, 0]]), "source": expected})  # fmt: skip


def test_a_peak_that_moved_is_refused_although_every_value_may_deviate_by_as_much() -> None:
    allowed = Tolerance(2.0, 0.0, peak_shift=1)
    check(allowed, lines(101), lines(100))
    with pytest.raises(
        ParityError, match=r"'spectrum'.*here: a peak lies 2 grid points away.*row 0 was given seed \[7, 0\]"
    ):
        check(allowed, lines(102), lines(100))


def test_the_bulk_of_the_values_is_held_closer_than_the_worst() -> None:
    allowed, one, all_of_them = Tolerance(0.1, 0.0, quantiles=((0.5, 0.01),)), lines(100), lines(100) + 0.05
    one[0, 3] += 0.05
    check(allowed, one, lines(100))
    with pytest.raises(ParityError, match=r"50% of its elements deviate by 0\.05 or more.*source of 200 values from"):
        check(allowed, all_of_them, lines(100))


def test_a_value_that_is_no_number_is_no_agreement() -> None:
    broken = lines(100)
    broken[0, 9] = np.nan
    with pytest.raises(ParityError, match=r"deviates by nan at \[0, 9\]"):
        check(Tolerance(1e9, 0.0), broken, lines(100))
