"""What every sampler of spectra shares: counting, labels, and imbalanced-learn's way of being called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from operator import index
from typing import Any, Literal, SupportsIndex, TypeAlias, TypeVar

import imblearn.base  # noqa: F401 - teaches scikit-learn's metadata routing the word fit_resample
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from lineshape.errors import DataError, UsageError
from lineshape_training.resampling import frames
from lineshape_training.resampling.draws import Drawn, generator_of, largest_remainder

Ratio: TypeAlias = float | int | Literal["balance"]
Sampler = TypeVar("Sampler", bound="SpectralSampler")  # beartype does not know Self
Count: TypeAlias = SupportsIndex | Mapping[Any, SupportsIndex]


class SpectralSampler(BaseEstimator, ABC):  # type: ignore[misc]
    """Synthetic spectra beside real ones.

    A `y` of floating-point type is a continuous analyte; of any other type it holds class labels. After one fit the
    samples of a class depend on `random_state` and its label alone, and the first k of n are the same for every n.

    Parameters
    ----------
    ratio : float or "balance"
        Synthetic spectra for each real one, in every class (shared out by largest remainder where they do not divide
        evenly); "balance" fills every class up to the largest.
    random_state : int
        At least 0.

    Attributes
    ----------
    classes_ : array [c] or None
        The labels, sorted; None after a fit on an analyte.
    counts_ : int [c]
        Real spectra of each class; of the whole table after a fit on an analyte.
    n_features_in_ : int
        Points of a spectrum.

    Notes
    -----
    A subclass writes `_fit` and `_draw`, and looks at nothing beyond the X of the fit: split first, then resample the
    side that is fitted on.
    """

    def __init__(self, ratio: Ratio = 1.0, random_state: int = 0) -> None:
        self.ratio = ratio
        self.random_state = random_state

    @abstractmethod
    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        """Learn what `_draw` needs."""

    @abstractmethod
    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        """The first n >= 1 samples of a class, or of the whole table where `label` is None.

        `rng` is new at every call, and the same for the same class. Returns spectra [n, L], and with them the amounts
        of the analyte [n] where `label` is None.
        """

    def fit(self: Sampler, X: Any, y: Any, groups: Any = None) -> Sampler:  # noqa: ANN401
        """Learn from real spectra.

        Parameters
        ----------
        X : array-like or data frame [n, L]
            Preprocessed spectra on one axis, one a row.
        y : array-like or series [n]
            Class labels or, of floating-point type, the amounts of an analyte.
        groups : array-like or series [n], optional
            The independent unit of each spectrum: patient, isolate, mineral.

        Raises
        ------
        DataError
            If a spectrum, label or group is missing, not finite, or unlike the others.
        UsageError
            If a parameter is out of range.
        """
        values = frames.spectra_of(X)
        entries = frames.column_of(y, len(values), "y")
        units = None if groups is None else frames.column_of(groups, len(values), "groups")
        self._check()
        self.n_features_in_, self._dtype = values.shape[1], values.dtype
        self.classes_, self._first, self.counts_ = _classes(entries)
        self._like = frames.empty_like(X, values), frames.taken(y, self._first)
        self._fit(values, entries, units)
        return self

    def sample(self, n: Count) -> tuple[Any, Any]:
        """Synthetic spectra, class by class in the order of `classes_`.

        Parameters
        ----------
        n : int or mapping of label to int
            How many of each class; one number is spread as the classes of the fit are, by largest remainder.

        Returns
        -------
        X [n, L], y [n]
            Of the kind that was fitted on.

        Raises
        ------
        UsageError
            If a count is negative or names a class that was not fitted.
        """
        check_is_fitted(self, "counts_")
        counts = self._counts(n)
        values, amounts = self._drawn(counts)
        like_X, like_y = self._like
        if amounts is not None:
            return frames.frame_like(like_X, values), frames.series_like(like_y, amounts)
        return frames.frame_like(like_X, values), frames.taken(like_y, np.repeat(np.arange(len(counts)), counts))

    def fit_resample(self, X: Any, y: Any, groups: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """Fit, and put `ratio` times as many synthetic spectra after the real ones.

        Parameters and errors are those of `fit`.

        Returns
        -------
        X_resampled, y_resampled
            Of the kind of X and y, counted anew from 0 where they have an index: the real spectra first and untouched.
            Columns of whole numbers become float64, as the synthetic ones are.
        """
        self.fit(X, y, groups)
        counts = self._wanted()
        values, amounts = self._drawn(counts)
        together = np.concatenate([frames.spectra_of(X), values])
        resampled = frames.frame_like(self._like[0], together)
        n = int(self.counts_.sum())
        if amounts is not None:
            return resampled, frames.series_like(y, np.concatenate([frames.column_of(y, n, "y"), amounts]))
        return resampled, frames.taken(y, np.concatenate([np.arange(n), np.repeat(self._first, counts)]))

    def _drawn(self, counts: Int[np.ndarray, " c"]) -> Drawn:
        """So many samples of each class, class by class."""
        labels = [None] if self.classes_ is None else self.classes_.tolist()
        drawn = [
            self._draw(label, int(n), generator_of(self.random_state, label))
            for label, n in zip(labels, counts, strict=True)
            if n
        ]
        empty = np.empty((0, self.n_features_in_), self._dtype)
        values = np.concatenate([empty, *(values for values, _ in drawn)], dtype=self._dtype, casting="same_kind")
        if self.classes_ is not None:
            return values, None
        return values, np.concatenate([np.empty(0), *(amounts for _, amounts in drawn if amounts is not None)])

    def _members(self, y: Shaped[np.ndarray, " n"]) -> Iterator[tuple[Any, Int[np.ndarray, " m"]]]:
        """The rows of each class; after a fit on an analyte one class, None, of them all."""
        if self.classes_ is None:
            yield None, np.arange(len(y))
            return
        for label in self.classes_.tolist():
            yield label, np.flatnonzero(y == label)

    def _counts(self, n: Count) -> Int[np.ndarray, " c"]:
        if not isinstance(n, Mapping):
            return largest_remainder(self.counts_, _count(n))
        if self.classes_ is None:
            raise UsageError("the fit was on an analyte, which has no classes; sample takes one number")
        labels = self.classes_.tolist()
        if unknown := [label for label in n if label not in labels]:
            raise UsageError(f"no class {unknown[0]!r} was fitted; there are {', '.join(map(repr, labels))}")
        return np.array([_count(n.get(label, 0)) for label in labels])

    def _wanted(self) -> Int[np.ndarray, " c"]:
        if self.ratio == "balance":
            return np.asarray(self.counts_.max() - self.counts_)
        return largest_remainder(self.counts_, int(self.ratio * self.counts_.sum() + 0.5))

    def _check(self) -> None:
        if self.ratio != "balance" and not (isinstance(self.ratio, Real) and 0 <= self.ratio < np.inf):
            raise UsageError(f"ratio must be a number of at least 0, or 'balance'; got {self.ratio!r}")
        if not (isinstance(self.random_state, Integral) and self.random_state >= 0):
            raise UsageError(f"random_state must be a whole number of at least 0; got {self.random_state!r}")


def _classes(entries: Shaped[np.ndarray, " n"]) -> tuple[NDArray[Any] | None, NDArray[np.intp], NDArray[np.intp]]:
    """The labels, the first row of each and how many there are; no labels where the entries are amounts."""
    if entries.dtype.kind == "f":
        return None, np.zeros(1, np.intp), np.array([len(entries)])
    try:
        return np.unique(entries, return_index=True, return_counts=True)
    except TypeError as error:
        raise DataError(
            f"y mixes labels of kinds that do not compare ({error}); give all of them as one type"
        ) from error


def _count(n: SupportsIndex) -> int:
    try:
        count = index(n)
    except TypeError as error:
        raise UsageError(f"a number of samples is a whole number; got {n!r}") from error
    if count < 0:
        raise UsageError(f"a number of samples is at least 0; got {count}")
    return count
