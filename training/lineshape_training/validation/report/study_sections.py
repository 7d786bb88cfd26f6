"""What the study says: the verdict on each method, its table, rare classes, instruments, and what a leak flatters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lineshape.results import Interval
from lineshape_training.page import Markup, html, table
from lineshape_training.study.arms import REAL
from lineshape_training.study.cells import NONE
from lineshape_training.study.protocols import LEAKY
from lineshape_training.study.table import ALL_PROBES, Effect, Outcome, Row
from lineshape_training.validation.report.numbers import gained, probability, ranged, shown, signed
from lineshape_training.validation.report.study_rows import RATIO, WHOLE, deciding, protocols_like, rows_of

SIGNS = {"helps": "▲", "makes no difference": "●", "hurts": "▼"}
CLASSES = ("balanced accuracy", "macro AUC", "macro F1")
AMOUNTS = ("RMSEP", "R2")
RARE = ("rare recall", "rare AUPRC", "balanced accuracy")
INSTRUMENT = re.compile(r"without .*", re.DOTALL)


def verdict(outcome: Outcome) -> Markup:
    """Helps, makes no difference or hurts: each method by one arm and one score."""
    effects = [effect for effect in outcome.effects if effect.protocol == WHOLE]
    if not effects:
        return Markup('<div class="verdict"><p><b>The study compared no method with real spectra alone.</b></p></div>')
    first = effects[0]
    rule = (f"Does adding spectra help on groups that neither generator nor classifier has seen? Decided by the arm "
            f"“{first.arm}” and the score “{first.score}”, {ALL_PROBES}, both named before anything was measured, and "
            "by the 95 % interval of the paired difference to real spectra alone.")  # fmt: skip
    return Markup(f"<p>{html(rule)}</p>{''.join(map(_effect, effects))}")


def tables(outcome: Outcome) -> Markup:
    """Everything measured with whole groups held out: the mean of the probes, then each probe."""
    score = deciding(outcome)
    scores = AMOUNTS if score in AMOUNTS else CLASSES
    probes = dict.fromkeys(row.probe for row in rows_of(outcome, WHOLE))
    about = "In brackets the 95 % interval over groups; below it the paired gain over real spectra alone and its p."
    parts = [f"<p>{about}</p>", _scores(rows_of(outcome, WHOLE, ALL_PROBES), scores)]
    for probe in probes:
        if probe != ALL_PROBES:
            inner = _scores(rows_of(outcome, WHOLE, probe), scores)
            parts.append(f"<details><summary>Probe: {html(probe)}</summary>{inner}</details>")
    return Markup("\n".join(parts))


def rare_class(outcome: Outcome) -> Markup:
    """What happens to the rarest class where it was made rarer; nothing where that was not asked."""
    protocols = protocols_like(outcome, RATIO)
    if not protocols:
        return Markup("")
    about = (
        f"The class “{outcome.rare}” was cut until the others have that many spectra for each of its own; synthetic "
        f"spectra fill it up again. {ALL_PROBES.capitalize()}."
    )
    return Markup(f"<h3>Imbalance</h3><p>{html(about)}</p>{_by_protocol(outcome, protocols, RARE)}")


def instruments(outcome: Outcome) -> Markup:
    """How it goes on an instrument that nothing was fitted on; nothing where that was not asked."""
    protocols = protocols_like(outcome, INSTRUMENT)
    if not protocols:
        return Markup("")
    scores = AMOUNTS if deciding(outcome) in AMOUNTS else CLASSES
    about = f"Fitted on the other instruments, judged on the one left out. {ALL_PROBES.capitalize()}."
    return Markup(f"<h3>Left-out instruments</h3><p>{html(about)}</p>{_by_protocol(outcome, protocols, scores)}")


def flattery(outcome: Outcome) -> Markup:
    """How much a split that ignores the groups would have flattered; nothing where that was not asked."""
    score = deciding(outcome)
    leaky_rows = {row.probe: row.scores[score] for row in _alone(outcome, LEAKY)}
    honest_rows = [row for row in _alone(outcome, WHOLE) if row.probe in leaky_rows]
    pairs = [(row.probe, row.scores[score], leaky_rows[row.probe]) for row in honest_rows]
    if not pairs:
        return Markup("")
    rows = [
        [probe, ranged(honest), ranged(leaky), signed(leaky.value - honest.value)] for probe, honest, leaky in pairs
    ]
    head = ["probe", f"{score}, by group", f"{score}, by spectrum", "flattered by"]
    return Markup(
        f"<h3>What a split by spectrum would have claimed</h3><p>{_flattered(score, pairs)}</p>{table(head, rows)}"
    )


def refused(outcome: Outcome) -> Markup:
    """Methods that could not be measured, with the reason."""
    if not outcome.refused:
        return Markup("")
    rows = [[html(what), Markup(html(why))] for what, why in outcome.refused.items()]
    return Markup(f"<h3>Not measured</h3>{table(['protocol, method', 'reason'], rows)}")


def _effect(effect: Effect) -> str:
    said = f"{SIGNS[effect.verdict]} {effect.method} {effect.verdict}"
    kind, gain = effect.verdict.split()[0], effect.gain
    measured = f"{effect.score} {signed(gain.value)}, 95 % interval {signed(gain.low)} to {signed(gain.high)}"
    return f'<div class="verdict {kind}"><p><b>{html(said)}</b>: {html(measured)}, {probability(gain)}.</p></div>'


def _scores(rows: Sequence[Row], scores: Sequence[str], protocol: bool = False) -> Markup:
    head = [*(["protocol"] if protocol else []), "method", "arm", *scores]
    body = [[*([row.protocol] if protocol else []), _told(row), row.arm, *(_score(row, score) for score in scores)]
            for row in rows]  # fmt: skip
    return table(head, body)


def _score(row: Row, score: str) -> Markup:
    found: Interval | None = row.scores.get(score)
    if found is None:
        return Markup('<span class="n">–</span>')
    gain = row.gains.get(score)
    below = f'<br><span class="gain">{gained(gain)}<br>{probability(gain)}</span>' if gain else ""
    return Markup(f'<span class="n">{ranged(found)}{below}</span>')


def _by_protocol(outcome: Outcome, protocols: Sequence[str], scores: Sequence[str]) -> Markup:
    rows = [row for protocol in protocols for row in rows_of(outcome, protocol, ALL_PROBES)]
    return _scores(rows, scores, protocol=True)


def _alone(outcome: Outcome, protocol: str) -> list[Row]:
    return [row for row in rows_of(outcome, protocol) if (row.method, row.arm) == (NONE, REAL.name)]


def _flattered(score: str, pairs: Sequence[tuple[str, Interval, Interval]]) -> Markup:
    honest, leaky = next((one, other) for probe, one, other in pairs if probe == ALL_PROBES)
    difference = leaky.value - honest.value
    does = "flatters" if difference > 0 else "does not flatter"
    return html(
        f"A split that ignores groups {does}: real spectra alone reach a {score} of {shown(leaky.value)} by spectrum "
        f"and {shown(honest.value)} by group ({signed(difference)}). Spectra of one group on both sides of a split "
        "tell a classifier who it is, not what it has. Nothing else on this page is split so."
    )


def _told(row: Row) -> str:
    return "–" if row.method == NONE else row.method
