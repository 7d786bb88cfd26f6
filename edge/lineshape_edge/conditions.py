"""What a sampler is told: the class, the amounts of analytes and the detector noise that a user asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lineshape.bundle import AnalyteSpec
from lineshape.errors import UsageError

if TYPE_CHECKING:
    from lineshape_edge.plans import Arrays, Facts


def asked(facts: Facts, n: int, label: str | None, amounts: Mapping[str, float], extrapolate: bool) -> Arrays:
    """The inputs `label` and `analyte` of n samples, as far as the bundle takes them.

    Raises
    ------
    UsageError
        If the bundle needs another label or other analytes (they are listed), or an amount lies outside those of the
        fit and `extrapolate` does not ask for it.
    """
    return _label(facts, n, label) | _analytes(facts, n, amounts, extrapolate)


def noise_level(facts: Facts, n: int, scale: float | None) -> Arrays:
    """The input `noise_scale` of n samples, 1 where nobody asks; nothing for a bundle without detector noise.

    Raises
    ------
    UsageError
        If the scale is negative, or the bundle draws no detector noise that could be scaled.
    """
    if facts.noise is None or not facts.noise.detector:
        if scale is not None:
            raise UsageError(f"bundle {facts.name} draws no detector noise of its own; leave the noise scale out")
        return {}
    if scale is not None and not 0 <= scale < math.inf:
        raise UsageError(f"a noise scale is 0 or more (1: as measured); got {scale:g}")
    return {"noise_scale": np.full((n, 1), 1 if scale is None else scale, np.float32)}


def _label(facts: Facts, n: int, label: str | None) -> Arrays:
    classes = facts.classes
    if label is None and not classes:
        return {}
    if label not in classes:
        known = f"a label, one of {', '.join(classes)}" if classes else "no label: it has no classes"
        raise UsageError(f"bundle {facts.name} needs {known}; got {'none' if label is None else repr(label)}")
    return {"label": np.full((n, 1), classes.index(label), np.int64)}


def _analytes(facts: Facts, n: int, amounts: Mapping[str, float], extrapolate: bool) -> Arrays:
    wanted = {analyte.name for analyte in facts.analytes}
    if amounts.keys() != wanted:
        needs = "; ".join(map(_range, facts.analytes)) or "no analyte: it has none"
        got = ", ".join(sorted(amounts)) or "none"
        raise UsageError(f"bundle {facts.name} needs {needs}; got {got}")
    if not wanted:
        return {}
    for analyte in facts.analytes:
        _check_amount(analyte, amounts[analyte.name], extrapolate)
    row = [amounts[analyte.name] for analyte in facts.analytes]
    return {"analyte": np.tile(np.array(row, np.float32), (n, 1))}


def _check_amount(analyte: AnalyteSpec, amount: float, extrapolate: bool) -> None:
    if not math.isfinite(amount):
        raise UsageError(f"analyte {analyte.name}: {amount} is no amount")
    if not extrapolate and not analyte.low <= amount <= analyte.high:
        raise UsageError(f"analyte {analyte.name}: {amount:g} is outside {analyte.low:g} to {analyte.high:g}, where "
                         "the model was fitted; ask for extrapolation to draw it all the same")  # fmt: skip


def _range(analyte: AnalyteSpec) -> str:
    return f"the analyte {analyte.name} ({analyte.low:g} to {analyte.high:g})"
