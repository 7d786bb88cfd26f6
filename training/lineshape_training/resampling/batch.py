"""The real spectra of a class, and a batch of copies of them on its way through the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.random import Generator


@dataclass(frozen=True, eq=False)
class Pool:
    """Real spectra that may be blended, those of one group next to each other.

    Parameters
    ----------
    values : float [m, L]
    amounts : float [m] or None
        Of the analyte, where there is one.
    first, size : int [m]
        Where the group of a spectrum starts, and how many spectra it has.
    """

    values: Float[np.ndarray, "m L"]
    amounts: Float[np.ndarray, " m"] | None
    first: Int[np.ndarray, " m"]
    size: Int[np.ndarray, " m"]

    @classmethod
    def of(
        cls,
        values: Float[np.ndarray, "m L"],
        amounts: Float[np.ndarray, " m"] | None,
        groups: Shaped[np.ndarray, " m"] | None,
    ) -> Pool:
        """Order spectra by group; where all are of one group, or of none that is known, each is a group of its own."""
        codes = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
        if not codes.any():
            codes = np.arange(len(values))
        order = np.argsort(codes, kind="stable")
        _, first, group, size = np.unique(codes[order], return_index=True, return_inverse=True, return_counts=True)
        return cls(values[order], None if amounts is None else amounts[order], first[group], size[group])

    def __len__(self) -> int:
        return len(self.values)

    def partners(self, rows: Int[np.ndarray, " n"], rng: Generator) -> Int[np.ndarray, " n"]:
        """For each row one of another group, each spectrum of them as likely; alone in its pool, itself."""
        if len(self) == 1:
            return rows
        first, size = self.first[rows], self.size[rows]
        other = rng.integers(len(self) - size)
        return np.asarray(np.where(other < first, other, other + size))


@dataclass(frozen=True, eq=False)
class Batch:
    """Spectra in the making, with the rows of the pool that they started from.

    Parameters
    ----------
    values : float [n, L]
    amounts : float [n] or None
    rows : int [n]
    pool : Pool
    """

    values: Float[np.ndarray, "n L"]
    amounts: Float[np.ndarray, " n"] | None
    rows: Int[np.ndarray, " n"]
    pool: Pool

    @classmethod
    def of(cls, pool: Pool, rows: Int[np.ndarray, " n"]) -> Batch:
        """Copies of the pool's spectra at `rows`."""
        return cls(pool.values[rows], None if pool.amounts is None else pool.amounts[rows], rows, pool)

    def __len__(self) -> int:
        return len(self.values)

    def at(self, chosen: Bool[np.ndarray, " n"]) -> Batch:
        """Those spectra alone."""
        amounts = None if self.amounts is None else self.amounts[chosen]
        return Batch(self.values[chosen], amounts, self.rows[chosen], self.pool)

    def put(self, chosen: Bool[np.ndarray, " n"], changed: Batch) -> Batch:
        """The batch with other spectra in those places."""
        values = self.values.copy()
        values[chosen] = changed.values
        if self.amounts is None or changed.amounts is None:
            return replace(self, values=values)
        amounts = self.amounts.copy()
        amounts[chosen] = changed.amounts
        return replace(self, values=values, amounts=amounts)
