"""The bill of materials of a bundle: CycloneDX 1.6 with a model card, from the environment that exports it.

ECMA-424 (https://ecma-international.org/publications-and-standards/standards/ecma-424/) is the format. It is written
here because the library that writes CycloneDX in Python knows no model cards.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lineshape.bundle import Manifest
from lineshape_export.card import LIMITS, USES
from lineshape_training.families import family_of
from lineshape_training.run import Run

SBOM = "sbom.cdx.json"
ROOT = "lineshape[export]"  # whose requirements, and theirs, are what a bundle was made with
LONGEST = 80  # letters of a licence's name; more is its text

Json: TypeAlias = dict[str, Any]


def bill_of_materials(manifest: Manifest, run: Run, moment: str | None) -> Json:
    """The bill as JSON: the model with its card, the libraries that it was made with, and which needs which.

    Parameters
    ----------
    manifest : Manifest
    run : Run
    moment : str, optional
        RFC 3339, of the export.
    """
    libraries = _installed(ROOT)
    model = f"{manifest.name}@{manifest.version}"
    needs = {_ref(found): sorted(_ref(libraries[name]) for name in needed if name in libraries)
             for found, needed in ((found, _needed(found)) for found in libraries.values())}  # fmt: skip
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **({"timestamp": moment} if moment else {}),
            "tools": {"components": [_component(libraries["lineshape"], "application")]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": model,
                "name": manifest.name,
                "version": manifest.version,
                "description": f"{run.recipe.about}.",
                "hashes": [{"alg": "SHA-256", "content": run.weights_sha256}],
                "modelCard": _card(manifest, run),
            },
        },
        "components": [_component(found, "library") for _, found in sorted(libraries.items())],
        "dependencies": [
            {"ref": model, "dependsOn": [_ref(libraries["lineshape"])]},
            *({"ref": ref, "dependsOn": needed} for ref, needed in sorted(needs.items())),
        ],
    }
    # A bill that says anything else is another bill; one that says the same is the same.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, msgspec.json.encode(bill, order="deterministic").decode())
    return {**bill, "serialNumber": f"urn:uuid:{serial}"}


def _card(manifest: Manifest, run: Run) -> Json:
    graph, family = manifest.graphs["model"], family_of(manifest.family)
    data = {
        "type": "dataset",
        "name": run.spec.data,
        "description": f"{run.spec.spectra} spectra of {run.spec.groups} independent groups",
        "contents": {"properties": [{"name": "sha256", "value": run.spec.data_sha256}]},
    }
    scored = [{"type": family.scored_by, "value": f"{score:.6g}", "slice": f"held-out fold {fold}"}
              for fold, score in enumerate(run.fitted.held_out, 1)]  # fmt: skip
    return {
        "modelParameters": {
            "approach": {"type": "supervised" if manifest.task == "transfer" else "unsupervised"},
            "task": manifest.task,
            "architectureFamily": manifest.family,
            "modelArchitecture": _architecture(manifest, run),
            "datasets": [data],
            "inputs": [{"format": f"{spec.name} {spec.dtype} [n, {spec.shape[1]}]"} for spec in graph.inputs],
            "outputs": [{"format": f"{spec.name} {spec.dtype} [n, {spec.shape[1]}]"} for spec in graph.outputs],
        },
        **({"quantitativeAnalysis": {"performanceMetrics": scored}} if scored else {}),
        "considerations": {"useCases": [USES[manifest.task]], "technicalLimitations": [LIMITS[manifest.task]]},
    }


def _architecture(manifest: Manifest, run: Run) -> str:
    sampler = manifest.sampler
    drawn = (
        f", {sampler.algorithm}, evaluations {sampler.evaluations}, guidance {sampler.guidance:g}" if sampler else ""
    )
    return f"{run.fitted.parameters} parameters{drawn}; graphs {', '.join(manifest.graphs)}"


def _installed(root: str) -> dict[str, Distribution]:
    """Every distribution that the root needs here, directly or not, by name."""
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    wanted = [Requirement(root)]
    while wanted:
        requirement = wanted.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        try:
            one = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # of an extra that nobody installed, or of another platform
        found[canonicalize_name(requirement.name)] = one
        wanted.extend(_requirements(one, requirement.extras))
    return found


def _requirements(found: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in found.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in (*extras, "")):
            yield requirement


def _needed(found: Distribution) -> set[str]:
    extras = set(Requirement(ROOT).extras) if _name(found) == "lineshape" else set()
    return {canonicalize_name(requirement.name) for requirement in _requirements(found, extras)}


def _component(found: Distribution, kind: str) -> Json:
    licence = _licence(found)
    return {
        "type": kind,
        **({} if kind == "application" else {"bom-ref": _ref(found)}),
        "name": _name(found),
        "version": found.version,
        "purl": _ref(found),
        **({"licenses": [licence]} if licence else {}),
    }


def _licence(found: Distribution) -> Json | None:
    """As the package says it: an SPDX expression, a name, or the classifier; None where it says nothing."""
    said = found.metadata
    named = said["License"].strip().splitlines()[:1] if "License" in said else []
    for text in (*([said["License-Expression"]] if "License-Expression" in said else []), *named):
        with suppress(InvalidLicenseExpression):
            return {"expression": canonicalize_license_expression(text)}
    classified = [one.split(" :: ")[-1] for one in said.get_all("Classifier") or () if one.startswith("License ::")]
    names = [*classified, *named]
    short = [name for name in names if name and len(name) <= LONGEST]
    return {"license": {"name": short[0]}} if short else None


def _name(found: Distribution) -> str:
    return canonicalize_name(found.metadata["Name"])


def _ref(found: Distribution) -> str:
    """Its package URL."""
    return f"pkg:pypi/{_name(found)}@{quote(found.version, safe='')}"
