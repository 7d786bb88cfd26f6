"""The operations below /v1, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec
from msgspec import Struct

from lineshape.axis import Unit
from lineshape.bundle import Manifest
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.openapi import parts
from lineshape_serving.openapi.parts import JSON, Json
from lineshape_serving.v1 import bodies, formats, messages, names
from lineshape_serving.v1.verbs import VERBS, Verb

TAG = "For people"
KINDS: tuple[type[Struct], ...] = (messages.Models, messages.ModelCard, *(verb.reply for verb in VERBS.values()))

_SUMMARIES = {
    "sample": "Draw spectra.",
    "transfer": "Estimate spectra in another modality, each with its interval and its familiarity.",
    "reconstruct": "Say what the model understands of spectra, in relative intensities.",
    "encode": "Give the latents of spectra.",
    "interpolate": "Go from one spectrum to another.",
}
_OPTIONS = {
    "filename": "What to call spectra that have no name; its ending helps to choose the reader.",
    "modality": "What was measured, where the body does not say it, or says it wrongly.",
    "unit": "The unit of the axis, where the body does not say it, or says it wrongly.",
    "laser_nm": "The wavelength of the laser, likewise; a Raman axis in nm needs it.",
    "xray_angstrom": "The wavelength of the X-rays, likewise; an axis of d-spacings needs it.",
    "min_familiarity": "How familiar every spectrum has to be; less is refused with 422.",
    "steps": "How many spectra to make, both ends among them.",
}


def paths(plane: DataPlane) -> Iterator[tuple[str, str, Json]]:
    """Path, method and operation of each."""
    card, cards = parts.ref(messages.ModelCard), parts.ref(messages.Models)
    yield "/v1/models", "get", _get("people-models", "Every model, and what may be asked of it.", cards, [])
    model = parts.choice("model", names(plane), "A loaded model.")
    yield "/v1/models/{model}", "get", _get("people-model", "A model, and what may be asked of it.", card, [model])
    for name in names(plane):
        manifest = plane.find(name).model.manifest
        yield f"/v1/models/{name}/{manifest.task}", "post", _ask(name, manifest, VERBS[manifest.task])


def _get(identity: str, summary: str, schema: Json, parameters: list[Json]) -> Json:
    done, refusals = parts.reply(summary, parts.content(schema)), (404, 503) if parameters else (503,)
    rest = {"parameters": parameters} if parameters else {}
    return parts.operation(identity, summary, done, refusals, tag=TAG, guarded=True, rest=rest)


def _ask(name: str, manifest: Manifest, verb: Verb) -> Json:
    contents = {media_type: {"schema": parts.ref(verb.reply) if media_type == JSON else _file(media_type)}
                for media_type in formats.offered(latents=verb.task == "encode")}  # fmt: skip
    done = parts.reply("Found.", contents, _origin())
    body = parts.content(_sample(manifest)) if verb.options is None else _measured(manifest, verb)
    rest = {"parameters": _parameters(manifest, verb), "requestBody": {"required": True, "content": body}}
    unusable = () if verb.options is None else (422, 501)
    refusals = (404, 406, *parts.BODY, *unusable, 429, 503)
    return parts.operation(
        f"{verb.task}-{name}", _SUMMARIES[verb.task], done, refusals, tag=TAG, guarded=True, rest=rest
    )


def _origin() -> Json:
    words = {"Bundle": "The bundle that answered.", "Version": "Its version.", "Digest": "Its digest."}
    return {f"Lineshape-{word}": {"description": told, "required": True, "schema": {"type": "string"}}
            for word, told in words.items()}  # fmt: skip


def _file(media_type: str) -> Json:
    return {"type": "string"} if media_type.startswith(("text/", "chemical/")) else parts.BINARY


def _parameters(manifest: Manifest, verb: Verb) -> list[Json]:
    if verb.options is None:
        return []
    properties = msgspec.json.schema(verb.options)["$defs"][verb.options.__name__]["properties"]
    properties |= {
        "filename": {"type": "string"},
        "modality": {"enum": [manifest.axes["source"].modality]},
        "unit": {"enum": list(get_args(Unit))},
        **dict.fromkeys(("laser_nm", "xray_angstrom"), msgspec.json.schema(messages.Wavelength)),
    }
    return [{"name": name, "in": "query", "description": _OPTIONS[name], "schema": schema}
            for name, schema in properties.items()]  # fmt: skip


def _measured(manifest: Manifest, verb: Verb) -> Json:
    """Measured spectra: as numbers, as a file, or as several files."""
    least, most = (2, 2) if verb.task == "interpolate" else (1, messages.MOST)
    spectra = {"type": "array", "minItems": least, "maxItems": most, "items": _spectrum(manifest)}
    numbers = {
        "type": "object",
        "required": ["spectra"],
        "properties": {"spectra": spectra},
        "additionalProperties": False,
    }
    files = {"type": "array", "items": parts.BINARY, "minItems": 1, "maxItems": most}
    form = {"type": "object", "required": ["file"], "properties": {"file": files},
            "description": "Instrument files, of any field names; each may hold several spectra."}  # fmt: skip
    known = {JSON: numbers, bodies.FORM: form}
    return {media_type: {"schema": known.get(media_type, parts.BINARY)} for media_type in bodies.media_types(True)}


def _spectrum(manifest: Manifest) -> Json:
    """A spectrum that the model's source may be; what the numbers have to be to one another stands in words."""
    schema: Json = msgspec.json.schema(messages.Measured)["$defs"]["Measured"]
    schema["properties"] |= {"modality": {"enum": [manifest.axes["source"].modality, None]}}
    schema["description"] += (" At least half of the model's range must be covered, and for an interpolation nine "
                              "tenths; the intensities may not be all the same.")  # fmt: skip
    return schema


def _sample(manifest: Manifest) -> Json:
    """What may be asked of this sampler; amounts beyond those of the fit only with `extrapolate`."""
    if not manifest.analytes:
        return _sample_with(manifest, {}, {"type": "boolean", "default": False})
    near = {spec.name: {"type": "number", "minimum": spec.low, "maximum": spec.high} for spec in manifest.analytes}
    far = {spec.name: {"type": "number", "minimum": -1e9, "maximum": 1e9} for spec in manifest.analytes}
    beyond = _sample_with(manifest, far, {"const": True})
    beyond["required"].append("extrapolate")
    return {"anyOf": [_sample_with(manifest, near, {"const": False, "default": False}), beyond]}


def _sample_with(manifest: Manifest, amounts: Json, extrapolate: Json) -> Json:
    schema: Json = msgspec.json.schema(messages.SampleRequest)["$defs"]["SampleRequest"]
    detector = manifest.noise is not None and manifest.noise.detector
    schema["properties"] |= {
        "label": {"enum": list(manifest.classes)} if manifest.classes else {"type": "null"},
        "analyte": {"type": "object", "properties": amounts, "required": list(amounts), "additionalProperties": False},
        "extrapolate": extrapolate,
    } | ({} if detector else {"noise_scale": {"type": "null"}})
    schema["required"] = (["label"] if manifest.classes else []) + (["analyte"] if amounts else [])
    return schema
