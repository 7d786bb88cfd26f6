"""The files beside the graphs: golden cases, the model card, what to train on from, and where it all came from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.metadata import version as installed

import msgspec
import numpy as np

from lineshape.bundle import Form, Manifest
from lineshape.bundle.contract import GOLDEN
from lineshape.bundle.verdict import PROVENANCE
from lineshape.library import LIBRARY
from lineshape.results import revision
from lineshape_export.card import model_card
from lineshape_export.fidelity import Fidelity
from lineshape_export.golden import Case
from lineshape_export.moment import exported_at
from lineshape_export.sbom import SBOM, bill_of_materials
from lineshape_training.run import Run

EXPORTERS = ("lineshape", "torch", "onnx", "onnxscript", "onnxruntime")


def records(
    run: Run,
    manifest: Manifest,
    goldens: Mapping[Form, list[Case]],
    precision: Mapping[Form, Fidelity],
    measured_on: Mapping[str, str | int],
    despite: str | None,
) -> dict[str, bytes]:
    """Each file's bytes; the same run gives the same bytes in the same environment."""
    moment = exported_at()
    provenance = {
        "run": run.spec,
        "fitted": run.fitted,
        "validation": run.judged,
        "despite": despite,
        "precision": precision,
        "precision_measured_on": measured_on,
        "exported_with": {name: installed(name) for name in EXPORTERS},
        "exported_at": moment,
        "revision": revision(),
    }
    return {
        GOLDEN: _golden(goldens),
        "README.md": model_card(manifest, run, precision).encode(),
        "config.json": _json(run.recipe),
        PROVENANCE: _json(provenance),
        SBOM: _json(bill_of_materials(manifest, run, moment)),
        "weights.safetensors": run.weights,
        **({LIBRARY: run.library} if run.library is not None else {}),
    }


def _golden(goldens: Mapping[Form, list[Case]]) -> bytes:
    arrays = {
        f"{form}.{number}.{name}": array
        for form, cases in goldens.items()
        for number, case in enumerate(cases)
        for part in case
        for name, array in part.items()
    }
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content, order="deterministic"), indent=2) + b"\n"
