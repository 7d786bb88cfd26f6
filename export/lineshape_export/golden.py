"""Golden cases: inputs that every face runs before it calls itself ready, made without any measured spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from lineshape import noise
from lineshape.bundle import TensorSpec
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.lineshapes import profile

Arrays: TypeAlias = dict[str, NDArray[Any]]
Case: TypeAlias = tuple[Arrays, Arrays]
Measured: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]

BATCHES = (1, 2, 7)
NOTHING = Conditions()
SEED = 20  # any will do; it is recorded through the cases themselves


def golden_cases(contract: Contract, batches: tuple[int, ...] = BATCHES, seed: int = SEED,
                 conditions: Conditions = NOTHING) -> list[Case]:  # fmt: skip
    """Inputs and the outputs that PyTorch gives for them, one case for each batch size."""
    inputs = [inputs_of(contract, conditions, noise.seeds(seed + case, batch)) for case, batch in enumerate(batches)]
    return [(arrays, eager(contract, arrays)) for arrays in inputs]


def eager(contract: Contract, arrays: Arrays) -> Arrays:
    """What the contract itself answers."""
    with torch.no_grad():
        outputs = contract(*(torch.from_numpy(arrays[spec.name]) for spec in contract.inputs))
    return {spec.name: output.numpy() for spec, output in zip(contract.outputs, outputs, strict=True)}


def inputs_of(contract: Contract, conditions: Conditions, rows: NDArray[np.int64],
              measured: Measured | None = None) -> Arrays:  # fmt: skip
    """Inputs for a row each.

    Parameters
    ----------
    contract : Contract
    conditions : Conditions
    rows : int64 [n, 2]
        Seed and index; everything else follows from them.
    measured : (values [m, L], mask [m, L]), optional
        Spectra to take turns, in the place of drawn ones.
    """
    arrays = {spec.name: _MAKERS[spec.role](spec, rows, conditions) for spec in contract.inputs}
    if measured is not None:
        values, mask = measured
        turns = {"source": (values, 0), "mask": (mask, 0), "source_b": (values, 1)}
        arrays |= {name: of[(rows[:, 1] + on) % len(of)] for name, (of, on) in turns.items() if name in arrays}
    if "mask" in arrays:
        arrays["source"] = arrays["source"] * arrays["mask"]
    return arrays


def _lines(spec: TensorSpec, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Ten lines and a little detector noise on a thousand counts."""
    length, lines = spec.shape[1], 10
    draws = np.abs(noise.normals(rows, 3 * lines)).reshape(len(rows), 3, lines, 1)
    center, height, width = (torch.from_numpy(draws[:, i]) for i in range(3))
    grid = torch.arange(length, dtype=torch.float32)
    drawn = height * profile(grid, center * length / 2, 2 + 8 * width, 0.5)
    detector = noise.normals(rows, length, noise.DETECTOR)
    counts: NDArray[np.float32] = 1000 * (drawn.sum(1).numpy() + np.float32(0.01) * detector)
    return counts


def _measured(spec: TensorSpec, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Everything measured in the first spectrum, a stretch missing at the start of every other."""
    mask = np.ones((len(rows), spec.shape[1]), np.float32)
    mask[1:, : spec.shape[1] // 10] = 0
    return mask


def _shares(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Numbers from 0 to 1, one a row: both ends first, then spread by the golden ratio."""
    index = rows[:, 1:]
    return np.where(index < 2, index, index * 0.6180339887 % 1).astype(np.float32)


def _amounts(rows: NDArray[np.int64], conditions: Conditions) -> NDArray[np.float32]:
    """Amounts within the range of the fit."""
    low, high = (np.array([getattr(a, end) for a in conditions.analytes], np.float32) for end in ("low", "high"))
    return low + (high - low) * _shares(rows)


_MAKERS: dict[str, Callable[[TensorSpec, NDArray[np.int64], Conditions], NDArray[Any]]] = {
    "seed": lambda spec, rows, conditions: rows,
    "noise": lambda spec, rows, conditions: noise.normals(rows, spec.shape[1]),
    "label": lambda spec, rows, conditions: rows[:, 1:] % len(conditions.classes),
    "analyte": lambda spec, rows, conditions: _amounts(rows, conditions),
    "source": lambda spec, rows, conditions: _lines(spec, rows),
    "source_b": lambda spec, rows, conditions: _lines(spec, rows + 1),
    "weight": lambda spec, rows, conditions: _shares(rows),
    "noise_scale": lambda spec, rows, conditions: 2 * _shares(rows),
    "mask": lambda spec, rows, conditions: _measured(spec, rows),
}
