"""Pictures of neighbourhoods: a map of all spectra, the suspected copies, and the best and the worst examples."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.metrics.memorisation import Suspicious, most_suspicious
from lineshape_training.validation.report.scene import (
    Dots,
    Line,
    Panel,
    Picture,
    Sign,
    Symbol,
    axis_name,
    decimated,
    padded,
)
from lineshape_training.validation.report.spectra_pictures import INTENSITY

MAPPED = 200  # spectra of a side on the map
PERPLEXITY = 30
PAIRS = 6
EXAMPLES = 3
MAP: dict[str, Symbol] = {"train": "triangle-up", "real": "circle", "synthetic": "diamond"}
DISTANCE = (
    "Distance: root mean square difference after SNV, small displacements apart; 0 for a copy, 1.4 for strangers."
)


def map_picture(evidence: Evidence) -> Picture:
    """Real, training and synthetic spectra in two dimensions."""
    seen = evidence.limited(MAPPED)
    values = np.concatenate([getattr(seen, role).values for role in MAP]).astype(np.float64)
    principal = PCA(2, random_state=0)
    scores, (first, second) = principal.fit_transform(values), principal.explained_variance_ratio_
    neighbours = TSNE(2, perplexity=min(PERPLEXITY, (len(values) - 1) / 3), init="pca", random_state=0)
    titles = (f"Component 1, {first:.0%} of the variance", f"Component 2, {second:.0%}")
    panels = [
        _map(seen, "PCA: distances count", *titles, scores),
        _map(seen, "t-SNE: only neighbourhoods count", "t-SNE 1", "t-SNE 2", neighbours.fit_transform(values)),
    ]
    legend: dict[str, tuple[str, Sign]] = {role: (role, symbol) for role, symbol in MAP.items()}
    about = f"At most {MAPPED} spectra of each side. Synthetic ones should lie among the real, not on those of the fit."
    return Picture("map", "Map of the spectra", about, panels, 2, legend)


def suspects_picture(evidence: Evidence) -> Picture:
    """The synthetic spectra that come nearest to a training spectrum, each over that spectrum."""
    found = most_suspicious(evidence.synthetic.values, evidence.train.values, PAIRS)
    panels = _pairs(evidence, found, evidence.train, "train", range(len(found.distance)))
    return Picture("suspects", "Most suspicious samples over their nearest training spectra", DISTANCE, panels, 3,
                   _pair_legend("train", "training spectrum"))  # fmt: skip


def examples_picture(evidence: Evidence) -> Picture:
    """The synthetic spectra nearest to a real one, and those farthest from all."""
    count = len(evidence.synthetic)
    found = most_suspicious(evidence.synthetic.values, evidence.real.values, count)
    shown = dict.fromkeys([*range(min(EXAMPLES, count)), *range(max(0, count - EXAMPLES), count)])
    panels = _pairs(evidence, found, evidence.real, "real", shown)
    about = f"The first {EXAMPLES} lie nearest to a real spectrum, the last {EXAMPLES} farthest. {DISTANCE}"
    return Picture("examples", "Best and worst examples", about, panels, 3, _pair_legend("real", "nearest real one"))


def _map(seen: Evidence, title: str, x_title: str, y_title: str, places: Float[np.ndarray, "n 2"]) -> Panel:
    marks, first = [], 0
    for role, symbol in MAP.items():
        here = places[first : first + len(getattr(seen, role))]
        marks.append(Dots(here[:, 0], here[:, 1], role, symbol, hollow=role != "synthetic", size=6))
        first += len(here)
    return Panel(title, x_title, y_title, tuple(marks), height=22.0)


def _pairs(evidence: Evidence, found: Suspicious, known: Side, role: str, shown: Iterable[int]) -> list[Panel]:
    return [_pair(evidence, found, known, role, rank) for rank in shown]


def _pair(evidence: Evidence, found: Suspicious, known: Side, role: str, rank: int) -> Panel:
    """One synthetic spectrum, thin, over its nearest known one, thick."""
    ours, theirs = int(found.synthetic[rank]), int(found.train[rank])
    x, axis = evidence.axis.values, evidence.axis
    over, under = evidence.synthetic.values[ours], known.values[theirs]
    marks = (Line(*decimated(x, under), role, 3.0, 0.45), Line(*decimated(x, over), "synthetic", 1.0))
    title = f"distance {found.distance[rank]:.2g}: synthetic {ours}, {role} {theirs}"
    if label := str(evidence.synthetic.label[ours]):
        title += f", {label}"
    return Panel(title, axis_name(axis), INTENSITY, marks, (axis.low, axis.high), padded(over, under), height=13.0)


def _pair_legend(role: str, name: str) -> dict[str, tuple[str, Sign]]:
    return {name: (role, "thick"), "synthetic": ("synthetic", "line")}
