"""The verdict on synthetic spectra, with its reasons in words.

Every figure is measured four times: for the synthetic spectra; for real spectra of other groups in their place (the
floor that no generator can beat); for copies of the training set; and for class means plus noise. The last two are
cheats that some figures reward, so a reader sees at once which figures to believe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from lineshape.errors import DataError
from lineshape_training.run import group_hash
from lineshape_training.spectra import Names
from lineshape_training.validation.evidence import Evidence
from lineshape_training.validation.measures import Found, measured

MOST = 2000  # spectra of a side that are looked at
FEWEST = 20  # synthetic spectra, below which means and shares say nothing

# Where a figure ends to be good enough. The simulator's independent samples keep far from every one of these.
COPIED = 0.02  # share of near copies
KNOWN_MEMBERS = 0.6  # lower end of the interval of the membership attack's AUC
COLLAPSED = 0.3  # variance ratio
SHIFTED = 1.0  # points, beyond what real groups differ by
SEPARABLE = 0.1  # agreement beyond chance from which on real classes can be told apart at all
IMPLAUSIBLE = 0.25  # share, beyond the floor
TELLABLE = 0.8  # two-sample AUC, for a warning


class Reading(msgspec.Struct, frozen=True):
    """One figure, four times; None where it could not be measured."""

    synthetic: float | None
    real: float | None
    copies: float | None
    class_means: float | None


class Judgement(msgspec.Struct, frozen=True):
    """What validation says.

    Parameters
    ----------
    verdict : "pass" or "fail"
    reasons : tuple of str
        Why it failed.
    warnings : tuple of str
        What a user should know all the same.
    metrics : dict of str to Reading
        See `measures.FIGURES` for what each one means.
    counts : dict of str to int
        Spectra and independent groups of each side.
    missing : tuple of str
        Why some figures could not be measured.
    """

    verdict: Literal["pass", "fail"]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    metrics: dict[str, Reading]
    counts: dict[str, int]
    missing: tuple[str, ...]


def judge(evidence: Evidence, fitted_on: Iterable[str] = ()) -> Judgement:
    """Judge synthetic spectra.

    Parameters
    ----------
    evidence : Evidence
    fitted_on : iterable of str
        Hashes of the groups that the generator's provenance names; see `run.group_hash`.

    Raises
    ------
    DataError
        If there are fewer than two groups of real spectra, or too few synthetic ones.
    """
    if len(np.unique(evidence.real.group)) < 2:
        raise DataError("the real spectra are of one independent group; nothing can be compared with nothing")
    if len(evidence.synthetic) < FEWEST:
        raise DataError(
            f"{len(evidence.synthetic)} synthetic spectra are too few for a verdict; give at least {FEWEST}"
        )
    seen = evidence.limited(MOST)
    rounds = {"synthetic": seen, "real": seen.halves(), "copies": seen.copies(), "class_means": seen.means()}
    found, missing = {}, []
    for name, one in rounds.items():
        found[name], why = measured(one)
        missing += [reason for reason in why if name == "synthetic"]
    reasons = [*leaks(evidence.real.group, fitted_on), *(r for rule in RULES for r in rule(found, evidence))]
    metrics = {name: Reading(*(found[side].get(name) for side in rounds)) for name in found["synthetic"]}
    verdict: Literal["pass", "fail"] = "fail" if reasons else "pass"
    return Judgement(
        verdict,
        tuple(reasons),
        (*evidence.remarks, *_warnings(found, evidence)),
        metrics,
        _counts(evidence),
        tuple(missing),
    )


def leaks(group: Names, fitted_on: Iterable[str]) -> list[str]:
    """The reason, where a generator was fitted on groups that it is judged by; it names nobody, for it is sealed in."""
    known = set(fitted_on)
    hashes = [group_hash(name) for name in np.unique(group).tolist()]
    shared = [one for one in hashes if one in known]
    if not shared:
        return []
    return [f"leak: the generator was fitted on {len(shared)} of the {len(hashes)} groups that it is judged by "
            f"(that with hash {shared[0]}, say), as its provenance shows; fit it without them"]  # fmt: skip


Rounds = dict[str, Found]
Rule = Callable[[Rounds, Evidence], Iterator[str]]


def _copies(found: Rounds, evidence: Evidence) -> Iterator[str]:
    ours = found["synthetic"]
    share, ratio = ours.get("near copies", 0.0), ours.get("distance ratio", 1.0)
    if share > max(COPIED, 2 * found["real"].get("near copies", 0.0)):
        yield (f"copies: {share:.0%} of the synthetic spectra are training spectra, or nearly so; they lie {ratio:.2f} "
               "times as far from the training set as new real spectra do")  # fmt: skip
        return
    low, usual = ours.get("membership AUC, low", 0.0), found["class_means"].get("membership AUC", 0.0)
    if low > max(KNOWN_MEMBERS, usual):  # held-out groups that are stranger than the others give away a mean as well
        yield (f"copies: an attacker who holds the synthetic spectra finds out who was in the training set, with an "
               f"AUC of {ours['membership AUC']:.2f} (at least {low:.2f}; .5 is guessing)")  # fmt: skip


def _unseen(found: Rounds, evidence: Evidence) -> Iterator[str]:
    share = found["synthetic"].get("copies of unseen", 0.0)
    if share > max(COPIED, 2 * found["real"].get("copies of unseen", 0.0)):
        yield (f"leak: {share:.0%} of the synthetic spectra copy the real ones that they are judged by, so the "
               "generator has seen those")  # fmt: skip


def _collapse(found: Rounds, evidence: Evidence) -> Iterator[str]:
    ratio = found["synthetic"].get("variance ratio", 1.0)
    if ratio < COLLAPSED:
        yield (f"collapse: within their classes the synthetic spectra vary {ratio:.2f} times as much as real ones, "
               "noise apart: they are class means, or little more")  # fmt: skip


def _shift(found: Rounds, evidence: Evidence) -> Iterator[str]:
    shift, least = (found["synthetic"].get(name, 0.0) for name in ("line shift", "line shift, at least"))
    floor = abs(found["real"].get("line shift", 0.0))
    if abs(least) > SHIFTED + floor:
        yield (f"shift: lines stand {abs(shift):.1f} points too far {'right' if shift > 0 else 'left'} (at least "
               f"{abs(least):.1f}; real spectra of other groups: {floor:.1f})")  # fmt: skip


def _unlike(found: Rounds, evidence: Evidence) -> Iterator[str]:
    ours, means = found["synthetic"].get("MMD"), found["class_means"].get("MMD")
    if ours is not None and means is not None and ours > max(1.5 * means, 0.05):
        yield (f"unlike: the synthetic spectra are farther from real ones (MMD {ours:.3f}) than class means with noise "
               f"are ({means:.3f})")  # fmt: skip


def _classes(found: Rounds, evidence: Evidence) -> Iterator[str]:
    ours, floor = (found[side].get("class agreement") for side in ("synthetic", "real"))
    if ours is None or floor is None:
        return
    chance = 1 / len(evidence.synthetic.classes)
    if floor - chance > SEPARABLE and ours - chance < (floor - chance) / 3:
        yield (f"classes: a classifier of real spectra gives {ours:.0%} of the synthetic ones the class that was asked "
               f"for, and {floor:.0%} of unseen real ones; guessing has {chance:.0%}")  # fmt: skip


IMPLAUSIBILITIES = {
    "negative": "spectra fall below zero",
    "narrow": "lines are narrower than the instrument allows",
    "jumps": "spectra hold jumps that no real one has",
    "peak ratios": "line ratios lie outside the real range",
}


def _implausible(found: Rounds, evidence: Evidence) -> Iterator[str]:
    for name, what in IMPLAUSIBILITIES.items():
        ours, floor = (found[side].get(name, 0.0) for side in ("synthetic", "real"))
        if ours > floor + IMPLAUSIBLE:
            yield f"implausible: {ours:.0%} of the {what} (real ones of other groups: {floor:.0%})"


RULES: Sequence[Rule] = (_unseen, _copies, _collapse, _shift, _unlike, _classes, _implausible)


def _warnings(found: Rounds, evidence: Evidence) -> Iterator[str]:
    ours, floor = found["synthetic"], found["real"]
    if ours.get("two-sample AUC", 0.5) > TELLABLE:
        yield f"a classifier tells the synthetic spectra from real ones with an AUC of {ours['two-sample AUC']:.2f}"
    if absent := set(evidence.real.classes) - set(evidence.synthetic.classes):
        yield f"there are no synthetic spectra of class {', '.join(sorted(absent))}"
    if "class agreement" in ours and "class agreement" not in floor:
        yield "their classes could not be judged: too few groups of each class are unseen to say what real ones do"
    power, usual = ours.get("high-frequency power", 1.0), floor.get("high-frequency power", 1.0)
    if not 0.5 * min(usual, 1) < power < 2 * max(usual, 1):
        yield f"their detector noise has {power:.2g} times the power of that of real spectra"


def _counts(evidence: Evidence) -> dict[str, int]:
    counted = {name: len(side) for name, side in evidence.sides.items()}
    groups = {f"{name} groups": len(np.unique(evidence.sides[name].group)) for name in ("real", "train")}
    return counted | groups
