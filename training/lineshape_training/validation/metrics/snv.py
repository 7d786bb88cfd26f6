"""Standard normal variate of plain arrays: what spectra are compared after, so that scale and offset hide nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from lineshape.preprocessing import SNV, forward


def snv(spectra: Float[np.ndarray, "n L"]) -> Float64[np.ndarray, "n L"]:
    """Each spectrum with mean 0 and standard deviation 1; a constant one becomes 0 (the bundles' own step)."""
    values: Float64[np.ndarray, "n L"] = forward(
        [SNV()], np, spectra.astype(np.float64), np.ones((1, spectra.shape[1]))
    )[0]
    return values
