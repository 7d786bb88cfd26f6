"""Spectral SMOTE: spectral clustering on PCA scores, then SMOTE inside a cluster, more where a cluster is sparse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.random import Generator
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

from lineshape.errors import UsageError
from lineshape_training.resampling.draws import Drawn, block_size, in_blocks, largest_remainder
from lineshape_training.resampling.sampler import Ratio, SpectralSampler

SMALL = 4  # spectra that a cluster needs; a class of fewer is jittered
ALONE = 0.01  # of a spectrum's own standard deviation: jitter where no class shows how much its spectra differ


@dataclass(frozen=True, eq=False)
class Cluster:
    """Spectra that lie close together.

    Parameters
    ----------
    members : int [m]
        Rows of the class.
    neighbours : int [m, k]
        Rows of the class that are nearest to each member; itself where it is alone.
    spread : float
        Mean distance to those neighbours.
    """

    members: Int[np.ndarray, " m"]
    neighbours: Int[np.ndarray, "m k"]
    spread: float


@dataclass(frozen=True, eq=False)
class Clustered:
    """A class: its spectra, the amounts of the analyte if any, its clusters, and the jitter of a small class."""

    values: Float[np.ndarray, "m L"]
    amounts: Float[np.ndarray, " m"] | None
    clusters: list[Cluster]
    jitter: Float[np.ndarray, " L"] | None

    def block(self, rng: Generator) -> Drawn:
        """A block of samples, shared out to clusters by largest remainder of members times spread.

        Clusters take turns in proportion, so that they stand in the right shares after any number of samples.
        """
        weights = np.array([len(cluster.members) * cluster.spread for cluster in self.clusters])
        counts = largest_remainder(weights if weights.any() else weights + 1, block_size(len(self.values)))
        pairs = [_pairs(cluster, int(n), rng) for cluster, n in zip(self.clusters, counts, strict=True)]
        start, end = np.concatenate(pairs, axis=1)
        turn = np.argsort(np.concatenate([(np.arange(n) + 0.5) / n for n in counts if n]), kind="stable")
        return self._between(start[turn], end[turn], rng)

    def _between(self, start: Int[np.ndarray, " k"], end: Int[np.ndarray, " k"], rng: Generator) -> Drawn:
        """Points on the lines between pairs of spectra; the amounts of the analyte lie on the same lines."""
        along = rng.random(len(start))
        values = self.values[start] + along[:, None].astype(self.values.dtype) * (self.values[end] - self.values[start])
        if self.jitter is not None:
            values += self.jitter * rng.standard_normal(values.shape, dtype=values.dtype)
        if self.amounts is None:
            return values, None
        return values, self.amounts[start] + along * (self.amounts[end] - self.amounts[start])


class SpectralSMOTE(SpectralSampler):
    """SMOTE inside the clusters of a class, so that no sample lies between two modes of it.

    A class falls into clusters by spectral clustering (Ng, Jordan and Weiss 2001, NIPS 14) of its PCA scores with a
    Gaussian affinity as wide as the median distance; a cluster of fewer than 4 joins the nearest. Each gets samples in
    proportion to its members times their mean distance to their neighbours: more for each real spectrum where they lie
    further apart. The samples of a block (see `draws.block_size`) are shared out exactly by largest remainder, and any
    first part of it to within a sample or so of each cluster.

    A class of up to `k_neighbors` spectra makes do with the neighbours that it has. A class of 1 to 3 also gets white
    noise, for its lines span no volume: it alone leaves the range of its real spectra.

    A continuous analyte is interpolated with its spectra; the table is then one class. Groups are not looked at.

    Parameters
    ----------
    clusters : int
        At most; a class gets one for every 4 spectra.
    k_neighbors : int
    components : int
        PCA scores that distances are measured on.
    jitter : float
        Standard deviation of that noise, in parts of the pooled standard deviation within the classes, point by point;
        where no class has two spectra that differ, 1 % of the spectrum's own standard deviation.
    ratio, random_state
        See `SpectralSampler`.
    """

    def __init__(
        self,
        clusters: int = 3,
        k_neighbors: int = 5,
        components: int = 10,
        jitter: float | int = 0.1,
        ratio: Ratio = 1.0,
        random_state: int = 0,
    ) -> None:
        super().__init__(ratio, random_state)
        self.clusters = clusters
        self.k_neighbors = k_neighbors
        self.components = components
        self.jitter = jitter

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        for name in ("clusters", "k_neighbors", "components"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not 0 <= self.jitter < np.inf:
            raise UsageError(f"jitter must be at least 0; got {self.jitter}")
        members = list(self._members(y))
        within = _within([X[rows] for _, rows in members])
        self._classes = {
            label: self._clustered(X[rows], None if label is not None else y.astype(np.float64), within)
            for label, rows in members
        }

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        return in_blocks(n, rng, self._classes[label].block)

    def _clustered(
        self,
        values: Float[np.ndarray, "m L"],
        amounts: Float[np.ndarray, " m"] | None,
        within: Float[np.ndarray, " L"],
    ) -> Clustered:
        scores = self._scores(values)
        clusters = [_cluster(scores, rows, self.k_neighbors) for rows in self._parts(scores)]
        if len(values) >= SMALL:
            return Clustered(values, amounts, clusters, None)
        jitter = self.jitter * within if within.any() else np.full_like(within, ALONE * values.std(axis=1).mean())
        return Clustered(values, amounts, clusters, jitter.astype(values.dtype))

    def _scores(self, values: Float[np.ndarray, "m L"]) -> Float[np.ndarray, "m k"]:
        if not np.ptp(values, axis=0).any():  # one spectrum, or copies of one: no direction to measure along
            return np.zeros((len(values), 1))
        components = min(self.components, len(values) - 1, values.shape[1])
        scores = PCA(components, svd_solver="full").fit_transform(values.astype(np.float64))
        return np.asarray(scores)

    def _parts(self, scores: Float[np.ndarray, "m k"]) -> list[Int[np.ndarray, " p"]]:
        """Rows of each cluster."""
        wanted = min(self.clusters, len(scores) // SMALL)
        distance = pairwise_distances(scores)
        width = float(np.median(distance))
        if wanted < 2 or width == 0:
            return [np.arange(len(scores))]
        # The floor keeps the graph in one piece where a spectrum lies many widths away.
        affinity = np.maximum(np.exp(-((distance / width) ** 2) / 2), 1e-9)
        clustering = SpectralClustering(
            wanted, affinity="precomputed", assign_labels="cluster_qr", random_state=self.random_state
        )
        return _merged(clustering.fit_predict(affinity), distance)


def _merged(codes: Int[np.ndarray, " m"], distance: Float[np.ndarray, "m m"]) -> list[Int[np.ndarray, " p"]]:
    """Clusters large enough to interpolate in: a smaller one goes to that to which its mean distance is least."""
    parts = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    large = [part for part in parts if len(part) >= SMALL]
    homes = [[part] for part in large]
    for part in parts:
        if len(part) < SMALL:
            homes[int(np.argmin([distance[np.ix_(part, home)].mean() for home in large]))].append(part)
    return [np.sort(np.concatenate(home)) for home in homes]


def _cluster(scores: Float[np.ndarray, "m k"], rows: Int[np.ndarray, " p"], k_neighbors: int) -> Cluster:
    if len(rows) == 1:
        return Cluster(rows, rows[:, None], 1.0)
    distance = pairwise_distances(scores[rows])
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1, kind="stable")[:, : min(k_neighbors, len(rows) - 1)]
    return Cluster(rows, rows[near], float(np.take_along_axis(distance, near, axis=1).mean()))


def _pairs(cluster: Cluster, n: int, rng: Generator) -> Int[np.ndarray, "2 n"]:
    """So many members of a cluster, each with one of its neighbours."""
    member = rng.integers(len(cluster.members), size=n)
    neighbour = rng.integers(cluster.neighbours.shape[1], size=n)
    return np.stack([cluster.members[member], cluster.neighbours[member, neighbour]])


def _within(classes: list[Float[np.ndarray, "_ L"]]) -> Float[np.ndarray, " L"]:
    """Pooled standard deviation within classes, point by point; 0 where no class has two spectra."""
    squares = sum(((values - values.mean(axis=0)) ** 2).sum(axis=0, dtype=np.float64) for values in classes)
    freedom = sum(len(values) - 1 for values in classes)
    return np.asarray(np.sqrt(squares / max(freedom, 1)))
