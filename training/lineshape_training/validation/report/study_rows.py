"""A study's rows, as the report asks for them."""

from __future__ import annotations

import re

from lineshape_training.study.table import Outcome, Row

WHOLE = "by group"  # the protocol that decides
GROUPS = re.compile(r"(\d+) groups")
RATIO = re.compile(r"\d+:1")


def rows_of(outcome: Outcome, protocol: str, probe: str | None = None) -> list[Row]:
    """The rows of one protocol, in the study's order; of one probe, where one is named."""
    return [row for row in outcome.rows if row.protocol == protocol and probe in (None, row.probe)]


def deciding(outcome: Outcome) -> str:
    """The score that decides: of amounts R2, of classes balanced accuracy."""
    return "R2" if any("R2" in row.scores for row in outcome.rows) else "balanced accuracy"


def protocols_like(outcome: Outcome, pattern: re.Pattern[str]) -> list[str]:
    """The protocols of that name, in the study's order."""
    return [name for name in dict.fromkeys(row.protocol for row in outcome.rows) if pattern.fullmatch(name)]


def curve_points(outcome: Outcome) -> dict[str, str]:
    """Protocols of the learning curve, fewest groups first, and how each is named on its axis."""
    limited = sorted(protocols_like(outcome, GROUPS), key=_count)
    points = {name: str(_count(name)) for name in limited}
    return points | {WHOLE: "all"} if rows_of(outcome, WHOLE) else points


def _count(protocol: str) -> int:
    found = GROUPS.fullmatch(protocol)
    assert found is not None
    return int(found[1])
