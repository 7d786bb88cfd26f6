"""The bill of materials: valid CycloneDX 1.6, of the environment that exported, with the model's card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lineshape.bundle import open_bundle
from lineshape.errors import UsageError
from lineshape_export.moment import exported_at
from lineshape_export.sbom import SBOM
from lineshape_training.run import Run


@pytest.fixture(params=["transfer_bundle", "sample_bundle"])
def bill(request: pytest.FixtureRequest) -> str:
    path: Path = request.getfixturevalue(request.param)
    return open_bundle(path).read(SBOM).decode()


def test_it_follows_the_schema(bill: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_it_names_every_library_that_made_the_bundle(bill: str) -> None:
    found = {component["name"]: component for component in json.loads(bill)["components"]}
    for name in ("lineshape", "torch", "onnx", "onnxscript", "onnxruntime", "numpy"):
        assert found[name]["version"] == version(name)
    assert "bentoml" not in found  # which serves bundles, and makes none
    assert found["numpy"]["licenses"][0]["expression"].startswith("BSD-3-Clause")


def test_what_needs_what_is_in_it(bill: str) -> None:
    told = json.loads(bill)
    needs = {entry["ref"]: entry["dependsOn"] for entry in told["dependencies"]}
    refs = {component["bom-ref"] for component in told["components"]}
    model = told["metadata"]["component"]["bom-ref"]
    assert needs.keys() == refs | {model}
    assert all(refs >= set(needed) for needed in needs.values())
    (ours,) = needs[model]
    assert any(ref.startswith("pkg:pypi/onnx@") for ref in needs[ours])


def test_the_card_says_what_the_model_is_for_and_was_made_of(bill: str, sample_run: Run) -> None:
    model = json.loads(bill)["metadata"]["component"]
    card = model["modelCard"]
    assert model["type"] == "machine-learning-model"
    assert card["modelParameters"]["architectureFamily"] in ("vae", "spectrogen")
    (data,) = card["modelParameters"]["datasets"]
    assert data["contents"]["properties"] == [{"name": "sha256", "value": "embedded"}]
    assert len(card["quantitativeAnalysis"]["performanceMetrics"]) == len(sample_run.fitted.held_out)
    assert card["considerations"]["technicalLimitations"]


def test_a_date_is_told_only_by_who_wants_one(bill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "timestamp" not in json.loads(bill)["metadata"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert exported_at() == "1970-01-01T00:00:00Z"
    for wrong in ("yesterday", "-5", "99999999999999999"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(UsageError, match=f"{wrong}: not a number of seconds since 1970"):
            exported_at()


def test_a_date_that_is_none_is_refused_before_others_read_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lineshape", "export", "nothing", "-o", tmp_path / "x.lineshape"]
    done = subprocess.run(command, env=os.environ | {"SOURCE_DATE_EPOCH": "yesterday"}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "lineshape: SOURCE_DATE_EPOCH=yesterday: not a number of seconds since 1970\n"
