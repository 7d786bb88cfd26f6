"""The five things that /v1 does: how each is asked, planned, and told.

A verb makes a job of a request. The job's plan has the inputs of the model, whoever runs it; of what the plan then
finds the job makes an answer, which says the same of its origin as a file of the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.bundle import Task
from lineshape.errors import LineshapeError, UsageError
from lineshape.library import Match
from lineshape.spectrum import Spectrum
from lineshape_edge import plans
from lineshape_edge.model import Model
from lineshape_serving.v1 import messages

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a verb found, in the two forms that every format is made of.

    Parameters
    ----------
    message : Struct
        As JSON says it.
    axis : SpectralAxis, optional
        Of the columns; latents have none.
    columns : mapping of name to float32 [n]
        Spectra, or the latent of each source.
    facts : mapping of str to str
        The origin and everything else that is no number on the axis.
    """

    message: messages.Origin
    axis: SpectralAxis | None
    columns: Mapping[str, Floats]
    facts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Job:
    """A request that is ready to run: its plan, the spectra it costs, and how to tell what the plan finds."""

    plan: plans.Plan[Any]
    spectra: int
    tell: Callable[[Any], Answer]


@dataclass(frozen=True)
class Verb:
    """One of the five.

    Parameters
    ----------
    task : Task
        Of the models it is asked of; the last part of its address.
    request : type of Struct
        The body as JSON.
    options : type of Options, optional
        The query, for a verb that takes measured spectra.
    reply : type of Origin
        The answer as JSON.
    plan : callable
        (model, spectra, options) to job; for samples (model, request).
    """

    task: Task
    request: type[msgspec.Struct]
    options: type[messages.Options] | None
    reply: type[messages.Origin]
    plan: Callable[..., Job] = field(repr=False)


def _sample(model: Model, asked: messages.SampleRequest) -> Job:
    plan = plans.sample(model.manifest, **msgspec.structs.asdict(asked))

    def tell(spectra: Floats) -> Answer:
        axis = model.manifest.axis("spectrum")
        message = messages.Samples(
            **_origin(model), seed=asked.seed, first=asked.first, label=asked.label, analyte=asked.analyte,
            noise_scale=asked.noise_scale, axis=_axis(axis), spectra=_rows(spectra),
        )  # fmt: skip
        amounts = ", ".join(f"{name} {amount!r}" for name, amount in asked.analyte.items())
        scale = "" if asked.noise_scale is None else f"{asked.noise_scale:g}"
        facts = {"seed": str(asked.seed), "label": asked.label or "", "analytes": amounts, "noise scale": scale}
        columns = {f"sample {asked.first + i}": spectrum for i, spectrum in enumerate(spectra)}
        return Answer(message, axis, columns, {**_origin(model), **facts})

    return Job(plan, asked.n, tell)


def _transfer(model: Model, spectra: Sequence[Spectrum], options: messages.TransferOptions) -> Job:
    def tell(found: list[plans.Transferred]) -> Answer:
        plans.refuse_unfamiliar(np.array([one.familiarity for one in found], np.float32), options.min_familiarity)
        axis = model.manifest.axis("spectrum")
        estimates = [_estimate(*pair) for pair in zip(found, spectra, strict=True)]
        message = messages.Estimates(**_origin(model), axis=_axis(axis), spectra=estimates)
        parts = [{"intensity": one.intensities, "lower": one.lower, "upper": one.upper} for one in found]
        facts = [_doubts(one) | _measured(spectrum) for one, spectrum in zip(found, spectra, strict=True)]
        return Answer(message, axis, _numbered(parts), {**_origin(model), **_numbered(facts)})

    return Job(plans.transfer(model.manifest, spectra, model.library), len(spectra), tell)


def _reconstruct(model: Model, spectra: Sequence[Spectrum], options: messages.Options) -> Job:
    def tell(rebuilt: Floats) -> Answer:
        axis = model.manifest.axis("spectrum")
        told = [messages.Rebuilt(_name(spectrum), row, list(spectrum.notes))
                for spectrum, row in zip(spectra, _rows(rebuilt), strict=True)]  # fmt: skip
        message = messages.Reconstructions(**_origin(model), axis=_axis(axis), spectra=told)
        columns = _numbered([{"intensity": row} for row in rebuilt])
        return Answer(message, axis, columns, {**_origin(model), **_numbered(list(map(_measured, spectra)))})

    return Job(plans.reconstruct(model.manifest, spectra), len(spectra), tell)


def _encode(model: Model, spectra: Sequence[Spectrum], options: messages.Options) -> Job:
    def tell(latents: Floats) -> Answer:
        told = [messages.Latent(_name(spectrum), row, list(spectrum.notes))
                for spectrum, row in zip(spectra, _rows(latents), strict=True)]  # fmt: skip
        columns = {f"latent {k}": column for k, column in enumerate(latents.T)}
        facts = {**_origin(model), **_numbered(list(map(_measured, spectra)))}
        return Answer(messages.Latents(**_origin(model), latents=told), None, columns, facts)

    return Job(plans.encode(model.manifest, spectra), len(spectra), tell)


def _interpolate(model: Model, spectra: Sequence[Spectrum], options: messages.InterpolateOptions) -> Job:
    if len(spectra) != 2:
        raise UsageError(f"an interpolation goes from one spectrum to another; got {len(spectra)}")
    first, second = spectra
    weights = np.linspace(0, 1, options.steps)

    def tell(between: Floats) -> Answer:
        axis, names = model.manifest.axis("spectrum"), [_name(first), _name(second)]
        told = [messages.Between(*pair) for pair in zip(weights.tolist(), _rows(between), strict=True)]
        message = messages.Interpolation(**_origin(model), sources=names, notes=[*first.notes, *second.notes],
                                         axis=_axis(axis), spectra=told)  # fmt: skip
        columns = {f"weight {weight:.4g}": row for weight, row in zip(weights, between, strict=True)}
        return Answer(message, axis, columns, {**_origin(model), "from": names[0], "to": names[1]})

    return Job(plans.interpolate(model.manifest, first, second, weights), options.steps, tell)


VERBS: dict[Task, Verb] = {
    verb.task: verb
    for verb in (
        Verb("sample", messages.SampleRequest, None, messages.Samples, _sample),
        Verb("transfer", messages.SpectraRequest, messages.TransferOptions, messages.Estimates, _transfer),
        Verb("reconstruct", messages.SpectraRequest, messages.Options, messages.Reconstructions, _reconstruct),
        Verb("encode", messages.SpectraRequest, messages.Options, messages.Latents, _encode),
        Verb("interpolate", messages.PairRequest, messages.InterpolateOptions, messages.Interpolation, _interpolate),
    )
}


def _origin(model: Model) -> dict[str, str]:
    return {"bundle": model.manifest.name, "version": model.manifest.version, "digest": model.digest}


def _axis(axis: SpectralAxis) -> messages.Axis:
    return messages.Axis(axis.modality, axis.unit, axis.values.tolist(), axis.laser_nm, axis.xray_angstrom)


def _rows(found: Floats) -> list[list[float]]:
    """The numbers of an answer; JSON has no others than finite ones."""
    if not np.isfinite(found).all():
        raise LineshapeError("the model's answer holds a value that is no finite number; report it with its input")
    rows: list[list[float]] = found.tolist()
    return rows


def _estimate(found: plans.Transferred, spectrum: Spectrum) -> messages.Estimate:
    intensities, lower, upper = _rows(np.stack([found.intensities, found.lower, found.upper]))
    match = found.nearest
    nearest = messages.Nearest(match.name, match.identity, match.similarity) if match else None
    return messages.Estimate(_name(spectrum), intensities, lower, upper, found.familiarity, nearest,
                             list(found.cautions), list(spectrum.notes))  # fmt: skip


def _doubts(found: plans.Transferred) -> dict[str, str]:
    """What a transfer says of itself, as the command line writes it."""
    nearest = _match(found.nearest) if found.nearest else ""
    return {"familiarity": f"{found.familiarity:.4f}", "nearest": nearest, "cautions": " ".join(found.cautions)}


def _match(match: Match) -> str:
    return f"{match.name} ({match.identity}), similarity {match.similarity:.3f}"


def _measured(spectrum: Spectrum) -> dict[str, str]:
    return {"source": _name(spectrum), "notes": " ".join(spectrum.notes)}


def _name(spectrum: Spectrum) -> str:
    return spectrum.metadata["source"]


def _numbered(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of one spectrum as they are; those of several with its number."""
    if len(parts) == 1:
        return dict(parts[0])
    return {f"{name} {number}": value for number, part in enumerate(parts, 1) for name, value in part.items()}
