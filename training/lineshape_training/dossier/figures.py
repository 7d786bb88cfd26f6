"""Numbers and names as a dossier shows them: settings exact, measured figures with four digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineshape.results import Interval
from lineshape_training.study.table import Gain

NONE = "–"


def exact(value: Any) -> str:  # noqa: ANN401
    """A setting, digit for digit."""
    return NONE if value is None else str(value)


def measured(value: float | None) -> str:
    """A figure with four significant digits; `dossier.json` has them all."""
    return NONE if value is None else f"{value:.4g}"


def ranged(found: Interval | Gain) -> str:
    """A figure with its 95 % interval."""
    return f"{measured(found.value)} ({measured(found.low)} to {measured(found.high)})"


def flattened(content: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Every value of a nested setting, under its dotted name; lists count from 1."""
    if isinstance(content, dict | list | tuple):
        pairs = content.items() if isinstance(content, dict) else enumerate(content, 1)
        for key, value in pairs:
            yield from flattened(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, exact(content)
