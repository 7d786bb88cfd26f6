"""The ways of drawing a spectrum that are compared: a network, a sampler and a number of evaluations."""

from __future__ import annotations

import msgspec

TEACHER, STUDENT = "flow", "distilled"
FITTED = ("ddpm", TEACHER, "shortcut")
"""Families that are fitted; the student is distilled from one of them."""


class Way(msgspec.Struct, frozen=True):
    """One way of drawing.

    Parameters
    ----------
    network : str
        One of `FITTED`, or `STUDENT`.
    sampler : str
    evaluations : int
        Of the network, for one spectrum.
    """

    network: str
    sampler: str
    evaluations: int

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.network}, {self.sampler} {self.evaluations}"


REFERENCE = Way("ddpm", "ddim", 250)
QUICK = Way("ddpm", "dpm-solver++", 10)
TAUGHT_BY = Way(TEACHER, "heun", 35)
AT_ONCE = Way(STUDENT, "euler", 1)

WAYS: tuple[Way, ...] = (
    REFERENCE, QUICK, *(Way("ddpm", "dpm-solver++", n) for n in (4, 1)),
    TAUGHT_BY, Way(TEACHER, "dpm-solver++", 10), *(Way(TEACHER, "euler", n) for n in (4, 2, 1)),
    *(Way(STUDENT, "euler", n) for n in (4, 2)), AT_ONCE,
    *(Way("shortcut", "shortcut", n) for n in (8, 4, 2, 1)),  # a shortcut model takes powers of two
)  # fmt: skip
