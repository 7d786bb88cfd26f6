"""Does a synthetic spectrum hold the amount of an analyte that was asked for?

The calibration is fitted on real spectra, so every figure is limited by how well it knows real ones: read it beside the
same figures of real spectra of other groups, passed in the place of the synthetic ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Shaped

from lineshape.errors import DataError
from lineshape_training.spectra import Amounts, Names
from lineshape_training.splits import group_folds
from lineshape_training.validation.metrics.blocks import comparable

FACTORS = 15
"""Most factors of a calibration."""

FOLDS = 5
_NOTHING = 1e-10  # share of the first covariance below which the spectra have no more to say about the amounts


class Calibration(msgspec.Struct, frozen=True):
    """Amounts that a calibration reads out of synthetic spectra, against the amounts that were asked for.

    Parameters
    ----------
    slope, intercept : float
        Of the least-squares line of the read amounts on the asked ones; 1 and 0 are right.
    rmse : float
        Root mean square difference of read and asked, in the analyte's unit; 0 and up, lower is better.
    r2 : float
        1 less the squared differences over those from the mean asked amount; at most 1, higher is better.
    factors : int
        Of the calibration.
    """

    slope: float
    intercept: float
    rmse: float
    r2: float
    factors: int


@dataclass(frozen=True, eq=False)
class Factors:
    """A calibration that can be asked with 1, 2, ... factors.

    Parameters
    ----------
    mean : float64 [L]
        Mean spectrum.
    amount : float
        Mean amount.
    weights : float64 [L, factors]
        What each factor adds to the regression coefficients.
    """

    mean: Float64[np.ndarray, " L"]
    amount: float
    weights: Float64[np.ndarray, "L factors"]

    def predict(self, spectra: Float64[np.ndarray, "n L"]) -> Float64[np.ndarray, "factors n"]:
        """Amounts with the first factor alone, with the first two, and so on."""
        return self.amount + np.cumsum(((spectra - self.mean) @ self.weights).T, axis=0)


def analyte_calibration(
    synthetic: Float[np.ndarray, "n L"],
    asked: Amounts,
    real: Float[np.ndarray, "m L"],
    amounts: Float64[np.ndarray, " m"],
    real_group: Shaped[np.ndarray, " m"],
) -> Calibration:
    """Amounts that partial least squares, fitted on real spectra, reads out of the synthetic ones.

    PLS1 on mean-centred intensities, with the number of factors, up to 15, whose error on groups
    left out is smallest. The spectra are not scaled one by one: an analyte may show in nothing but the height.

    Parameters
    ----------
    synthetic : float [n, L]
    asked : float64 [n]
    real : float [m, L]
    amounts : float64 [m]
        NaN where not measured: those spectra are left out.
    real_group : str [m]

    Raises
    ------
    DataError
        If the amounts asked for are all the same, or fewer than two groups have an amount.
    """
    if np.ptp(asked) == 0:
        raise DataError(f"the synthetic spectra were all asked for {asked[0]:g}; a calibration needs several amounts")
    measured = np.isfinite(amounts)
    synthetic, real = comparable(synthetic, real[measured])
    amounts, group = amounts[measured], real_group[measured]
    factors = _best_factors(real, amounts, group)
    read = fitted(real, amounts, factors).predict(synthetic)[-1]
    slope, intercept = np.polyfit(asked, read, 1)
    squares = ((read - asked) ** 2).mean()
    return Calibration(float(slope), float(intercept), float(squares**0.5), float(1 - squares / asked.var()), factors)


def fitted(real: Float64[np.ndarray, "n L"], amounts: Amounts, factors: int) -> Factors:
    """Partial least squares with one response: the kernel algorithm of Dayal and MacGregor (1997), without deflation.

    Where the spectra have nothing more to say about the amounts, further factors add nothing.
    """
    mean, amount = real.mean(axis=0), float(amounts.mean())
    x = real - mean
    covariance = x.T @ (amounts - amount)
    least = _NOTHING * np.linalg.norm(covariance)
    rotations, loadings, weights = (np.zeros((x.shape[1], factors)) for _ in range(3))
    for k in range(factors):
        size = np.linalg.norm(covariance)
        if size <= least:
            break
        weight = covariance / size
        rotations[:, k] = weight - rotations @ (loadings.T @ weight)
        scores = x @ rotations[:, k]
        energy = scores @ scores
        loadings[:, k] = x.T @ scores / energy
        share = rotations[:, k] @ covariance / energy
        weights[:, k] = share * rotations[:, k]
        covariance = covariance - share * energy * loadings[:, k]
    return Factors(mean, amount, weights)


def _best_factors(real: Float64[np.ndarray, "n L"], amounts: Amounts, group: Names) -> int:
    splits = group_folds(group, min(FOLDS, len(np.unique(group))), seed=0)
    most = min(FACTORS, real.shape[1], *(len(fitting) - 1 for fitting, _ in splits))
    squares = np.zeros(most)
    for fitting, held in splits:
        read = fitted(real[fitting], amounts[fitting], most).predict(real[held])
        squares += ((read - amounts[held]) ** 2).sum(axis=1)
    return int(squares.argmin()) + 1
