"""The table and the verdicts as text."""

from __future__ import annotations

from lineshape_training.steps.figures import AGREEMENT, AUC, CHIMERAS, DISTANCE, MMD, POWER
from lineshape_training.steps.table import Line, Steps, Verdict

COLUMNS = {CHIMERAS: "chimera", AGREEMENT: "agree", DISTANCE: "dist", POWER: "noise"}


def as_text(found: Steps) -> str:
    """A line for each way of drawing, the floor first, then a line for each verdict."""
    wide = max(len(line.method) for line in found.lines)
    head = f"{'':<{wide}}  {'C2ST':<18}{'over seeds':>11}{'MMD, 1e-3':>10}"
    head += "".join(f"{name:>8}" for name in COLUMNS.values()) + f"{'ms':>8}{'of 256':>8}{'min':>6}"
    return "\n".join([head, *(_row(line, wide) for line in found.lines), *map(_said, found.verdicts)])


def _row(line: Line, wide: int) -> str:
    if line.refused:
        return f"{line.method:<{wide}}  {line.refused}"
    auc, interval = line.figures[AUC], line.intervals[AUC]
    text = f"{line.method:<{wide}}  {f'{auc.mean:.3f} ({interval.low:.2f}-{interval.high:.2f})':<18}"
    text += f"{f'{auc.least:.2f}-{auc.largest:.2f}':>11}{1000 * line.figures[MMD].mean:>10.1f}"
    text += "".join(f"{_short(line, name):>8}" for name in COLUMNS)
    return text + (f"{line.alone:>8.2f}{line.together:>8.3f}{line.minutes:>6.1f}" if line.way else "")


def _short(line: Line, name: str) -> str:
    return f"{line.figures[name].mean:.3f}" if name in line.figures else ""


def _said(verdict: Verdict) -> str:
    return f"{'yes' if verdict.holds else 'no':<4}{verdict.claim}: {verdict.value:.4f}, limit {verdict.limit:.4f}"
