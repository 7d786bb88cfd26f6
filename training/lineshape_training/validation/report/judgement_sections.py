"""What the judgement of the synthetic spectra says: the verdict, memorisation, all figures, plausibility."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from lineshape_training.page import Markup, html, table
from lineshape_training.validation.judgement import Judgement, Reading
from lineshape_training.validation.measures import FIGURES, Figure
from lineshape_training.validation.report.numbers import shown

SIDES = {
    "synthetic": "synthetic",
    "real": "real of other groups: the floor",
    "copies": "copies of the training set",
    "class_means": "class means + noise",
}
MEMORY = ("distance ratio", "near copies", "membership AUC", "membership AUC, low")
PLAUSIBLE = ("negative", "narrow", "jumps", "peak ratios")
UNMARKED = ("MMD p", "line shift, at least", "membership AUC, low")  # probability, ends of intervals: no distances
NEAREST = Markup('<span class="mark">◆</span>')
FOOLED = Markup('<span class="mark">⚠</span>')
ONE_SIDED = ("membership AUC",)  # an attacker who does worse than guessing learns nothing
SCOPE = {
    "PIKE MMD": "measured for MALDI-TOF spectra only",
    "class agreement": "needs synthetic and real spectra of two classes or more",
    "chimeras": "needs synthetic and real spectra of two classes or more",
    "analyte slope": "needs amounts of an analyte on both sides",
    "analyte R2": "needs amounts of an analyte on both sides",
}


def verdict(judgement: Judgement) -> Markup:
    """Pass or fail, then why, then what a user should know all the same."""
    passed = judgement.verdict == "pass"
    said = "✓ The synthetic spectra pass." if passed else "✗ The synthetic spectra fail."
    why = "No rule found a fault." if passed else "Why:"
    warned = Markup("<p>Warnings:</p>") + _list(judgement.warnings) if judgement.warnings else ""
    return Markup(f'<div class="verdict {judgement.verdict}"><p><b>{said}</b> {why}</p>{_list(judgement.reasons)}'
                  f"{warned}</div>")  # fmt: skip


def memorisation(judgement: Judgement) -> Markup:
    """Does the training set come back?"""
    about = (
        "An attacker who holds the synthetic spectra and guesses who was in the training set is right with the AUC "
        "below (.5: guessing). A distance is no proof of privacy: small leaks pass every figure here."
    )
    return Markup(f"<p>{html(about)}</p>{_figures(judgement, MEMORY)}")


def all_figures(judgement: Judgement) -> Markup:
    """Every figure with its floor and its two cheats."""
    about = (
        "Each figure is measured four times: for the synthetic spectra; for real spectra of other groups in their "
        "place, which is the floor; and for two cheats that a figure to be believed must not reward. "
    )
    signs = (
        "marks the value nearest to the best one. ✓: the synthetic spectra are as near to the best value as the floor "
        "is; ✗: farther, and by how much. "
    )
    blind = "marks a cheat that the figure does not find out: it is as near to the best value as the floor is."
    absent = [name for name in FIGURES if name not in judgement.metrics]
    reasons = [f"{name}: {_absence(name)}" for name in absent]
    missing = f"<h3>Not measured</h3>{_list([*reasons, *judgement.missing])}" if reasons else ""
    return Markup(
        f"<p>{html(about)}{NEAREST} {html(signs)}{FOOLED} {html(blind)}</p>{_figures(judgement, FIGURES)}{missing}"
    )


def plausibility(judgement: Judgement) -> Markup:
    """Could an instrument have measured them?"""
    about = "Shares of spectra or lines that no instrument of this kind would have measured."
    return Markup(f"<p>{about}</p>{_figures(judgement, PLAUSIBLE)}")


def _absence(name: str) -> str:
    return SCOPE.get(name, "could not be computed from these spectra")


def _figures(judgement: Judgement, names: Iterable[str]) -> Markup:
    rows = [_row(name, judgement.metrics[name]) for name in names if name in judgement.metrics]
    if not rows:
        return Markup("<p>None of these could be measured.</p>")
    return table(["figure", "best", *SIDES.values(), "reading"], rows)


def _row(name: str, reading: Reading) -> list[str]:
    figure = FIGURES[name]
    what = Markup(f'<div class="what"><b>{html(name)}</b><br>{html(figure.about)}<br>'
                  f'<span class="quiet">{html(_range(figure))}</span></div>')  # fmt: skip
    if name in UNMARKED:
        return [what, _plain(float(figure.best)), *(shown(getattr(reading, side)) for side in SIDES), ""]
    far = {side: _far(name, getattr(reading, side)) for side in SIDES}
    cells = [_value(getattr(reading, side), _marks(side, far)) for side in SIDES]
    return [what, _plain(float(figure.best)), *cells, _reading(far)]


def _range(figure: Figure) -> str:
    return f"from {_plain(float(figure.low))} to {_plain(float(figure.high))}"


def _plain(value: float) -> str:
    """A round number."""
    return f"{value:.3g}".replace("-", "−").replace("inf", "∞")


def _far(name: str, value: float | None) -> float:
    """Distance from the best value; without end where there is no value."""
    if value is None:
        return inf
    far = value - FIGURES[name].best
    return max(0.0, far) if name in ONE_SIDED else abs(far)


def _marks(side: str, far: dict[str, float]) -> Markup:
    """Nearest of the four; a cheat that is not found out."""
    nearest = far[side] == min(far.values()) < inf
    fooled = side in ("copies", "class_means") and far[side] <= far["real"] < inf
    return Markup(f"{f' {NEAREST}' if nearest else ''}{f' {FOOLED}' if fooled else ''}")


def _value(value: float | None, marks: Markup) -> Markup:
    return Markup(f'<span class="n">{shown(value)}{marks}</span>')


def _reading(far: dict[str, float]) -> Markup:
    """The synthetic spectra against the floor."""
    ours, floor = far["synthetic"], far["real"]
    if inf in (ours, floor):
        return Markup("no floor")
    return Markup("✓ within the floor" if ours <= floor else f"✗ {shown(ours - floor)} farther")


def _list(texts: Iterable[str]) -> Markup:
    items = "".join(f"<li>{html(text)}</li>" for text in texts)
    return Markup(f"<ul>{items}</ul>" if items else "")
