"""Numbers as a reader sees them."""

from __future__ import annotations

from lineshape.results import Interval
from lineshape_training.study.table import Gain


def shown(value: float | None) -> str:
    """Three digits; a dash where there is no value."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}"
    return text.rstrip(".").replace("-", "−")


def signed(value: float) -> str:
    """The same with its sign."""
    return f"+{shown(value)}" if value > 0 else shown(value)


def ranged(found: Interval) -> str:
    """A value with its interval."""
    return f"{shown(found.value)} ({shown(found.low)} to {shown(found.high)})"


def gained(gain: Gain) -> str:
    """A difference with its interval."""
    return f"{signed(gain.value)} ({signed(gain.low)} to {signed(gain.high)})"


def probability(gain: Gain) -> str:
    """How probable so large a difference is if there is none."""
    return f"p = {gain.p:.3f}"
