"""The table as text."""

from __future__ import annotations

from collections.abc import Sequence

from lineshape_training.comparison.comparison import Line

COLUMNS = {
    "MMD": "MMD", "two-sample AUC": "C2ST", "precision": "prec", "recall": "rec", "density": "dens",
    "coverage": "cov", "peak position error": "peak", "distance ratio": "dist", "near copies": "copies",
    "membership AUC": "member",
}  # fmt: skip


def as_text(lines: Sequence[Line]) -> str:
    """One line for each method; in the line of real spectra stand the floors."""
    wide = max(len(line.method) for line in lines)
    head = f"{'':<{wide}}  {'TSTR':<18}" + "".join(f"{name:>8}" for name in COLUMNS.values())
    return "\n".join([f"{head}{'ms':>8}{'params':>11}{'min':>6}", *(_row(line, wide) for line in lines)])


def _row(line: Line, wide: int) -> str:
    if line.refused:
        return f"{line.method:<{wide}}  {line.refused}"
    tstr = f"{line.tstr.value:.3f} ({line.tstr.low:.2f}-{line.tstr.high:.2f})" if line.tstr else "no classes"
    figures = "".join(f"{_short(line.metrics.get(name)):>8}" for name in COLUMNS)
    return (
        f"{line.method:<{wide}}  {tstr:<18}{figures}{line.milliseconds:>8.2f}{line.parameters:>11,}{line.minutes:>6.1f}"
    )


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
