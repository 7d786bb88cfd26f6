"""What lower precision costs: the gate that a graph in fp16 or int8 must pass to be sealed beside the full one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshape.bundle import TensorSpec, Tolerance, peak_shifts
from lineshape.errors import FidelityError
from lineshape_export.golden import Arrays
from lineshape_training.validation.metrics.mmd import mmd
from lineshape_training.validation.metrics.two_sample import two_sample_auc

ROWS = 256  # spectra that it is measured on
MOVED, RMSE, MMD, AUC = 0.01, 0.01, 0.01, 0.05  # the most that passes, each
NO_SHIFTS = np.empty(0, np.intp)
SLACK = 3  # times the deviation found here, for other machines


class Fidelity(msgspec.Struct, frozen=True):
    """How outputs in lower precision differ from those of the same inputs in full precision.

    Parameters
    ----------
    peaks : int
        Of the spectra in full precision.
    moved : float
        Share of the peaks that are not within one grid point.
    rmse : float
        Of all values of an output, as a share of its range in full precision; the worst of the outputs.
    worst : str
        Which that is.
    mmd, mmd_floor : float
        Squared MMD between every other spectrum in lower precision and the others in full precision; the floor has full
        precision on both sides.
    auc, auc_floor : float
        Of the classifier two-sample test, likewise; .5 is chance.
    """

    peaks: int
    moved: float
    rmse: float
    worst: str
    mmd: float
    mmd_floor: float
    auc: float
    auc_floor: float

    @property
    def faults(self) -> list[str]:
        """What is beyond the limits, in words."""
        found = {
            f"{self.moved:.1%} of {self.peaks} peaks are not within one grid point (limit {MOVED:.0%})":
                self.moved <= MOVED,
            f"RMSE {self.rmse:.2%} of the range of {self.worst!r} (limit {RMSE:.0%})": self.rmse <= RMSE,
            f"MMD {self.mmd:.3f}, floor {self.mmd_floor:.3f} (limit {MMD} above it)": self.mmd - self.mmd_floor <= MMD,
            f"a classifier tells it from full precision with AUC {self.auc:.2f}, floor {self.auc_floor:.2f} "
            f"(limit {AUC} above it)": self.auc - self.auc_floor <= AUC,
        }  # fmt: skip
        return [words for words, passed in found.items() if not passed]


def fidelity(full: Arrays, lower: Arrays, outputs: Sequence[TensorSpec]) -> Fidelity:
    """Measure the outputs of lower precision [n, ...] against those of full precision for the same inputs.

    Peaks are those of a first output that is a spectrum; no two inputs may be alike.

    Raises
    ------
    FidelityError
        If an output is no number.
    """
    if broken := [name for name, array in lower.items() if not np.isfinite(array).all()]:
        raise FidelityError(f"lower precision is refused: output {broken[0]!r} holds values that are no numbers")
    first, rmse = outputs[0].name, {name: _rmse(full[name], lower[name]) for name in full}
    shifts = peak_shifts(full[first], lower[first])[1] if outputs[0].role == "spectrum" else NO_SHIFTS
    worst = max(rmse, key=rmse.__getitem__)
    even, odd, low = full[first][::2], full[first][1::2], lower[first][::2]
    return Fidelity(
        peaks=len(shifts),
        moved=float(np.mean(shifts > 1)) if len(shifts) else 0.0,
        rmse=rmse[worst],
        worst=worst,
        mmd=mmd(low, odd),
        mmd_floor=mmd(even, odd),
        auc=two_sample_auc(low, odd).value,
        auc_floor=two_sample_auc(even, odd).value,
    )


def allowed(full: Arrays, lower: Arrays, least: Mapping[str, Tolerance]) -> dict[str, Tolerance]:
    """How far a graph in lower precision may be from the golden cases of full precision, on other machines.

    No less than the full graph itself (`least`).
    """
    seen = {name: SLACK * float(np.abs(lower[name] - full[name]).max()) for name in full}
    return {name: Tolerance(max(seen[name], most.absolute), most.relative) for name, most in least.items()}


def _rmse(full: NDArray[np.float32], lower: NDArray[np.float32]) -> float:
    spread = float(np.ptp(full))
    return float(np.sqrt(np.mean((lower - full) ** 2))) / spread if spread else float(np.abs(lower - full).max() > 0)
