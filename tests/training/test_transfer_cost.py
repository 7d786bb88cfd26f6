"""What a transfer costs beside the paper's network, measured in one run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lineshape.bundle import open_bundle
from lineshape.errors import UnsupportedBundle
from lineshape_edge.session import Session
from lineshape_training.commands import bench
from lineshape_training.run import Run
from lineshape_training.transfer.cost import ONNX, TORCH, cost, edge_bytes
from lineshape_training.transfer.paper_network import IMAGE, PaperNetwork, in_onnx


def small() -> PaperNetwork:
    """The same layers on a picture of 32 x 64 pixels."""
    torch.manual_seed(0)
    return PaperNetwork((32, 64), (1, 4, 8)).eval()


def test_the_papers_network_has_404_million_parameters() -> None:
    with torch.device("meta"):  # shapes without memory
        network = PaperNetwork()
        picture = network(torch.zeros(1, 1, *IMAGE))
    assert picture.shape == (1, 1, *IMAGE)
    # Convolutions and their mirror image, then the dense layers to 512 features, to mean and log-variance, and back.
    convolutions = sum((9 * a + 1) * b + (9 * b + 1) * a for a, b in ((1, 32), (32, 64), (64, 128), (128, 256)))
    dense = (524_288 + 1) * 512 + 2 * (512 + 1) * 256 + (256 + 1) * 524_288
    assert sum(p.numel() for p in network.parameters()) == convolutions + dense == 404_216_065


def test_in_onnx_it_answers_as_in_torch() -> None:
    network, image = small(), torch.rand(1, 1, 32, 64)
    with torch.inference_mode():
        expected = network(image).numpy()
    (found,) = Session(in_onnx(network, image)).run({"image": image.numpy()}).values()
    np.testing.assert_allclose(found, expected, atol=1e-6)  # float32, two orders of summation


def test_the_cost_of_a_bundle(transfer_bundle: Path, transfer_run: Run) -> None:
    found = cost(transfer_bundle, repeats=5, paper=small())
    assert found.parameters == transfer_run.fitted.parameters
    bundle = open_bundle(transfer_bundle)
    graph = bundle.manifest.graphs["model"].file
    assert found.edge_bytes > bundle.manifest.files[graph].bytes + bundle.manifest.files["golden.npz"].bytes
    assert found.paper.bytes == 4 * found.paper.parameters
    for name in (TORCH, ONNX):
        slower, theirs = found.paper.times_slower[name], found.paper.milliseconds[name]
        assert 0 < slower.low <= slower.value <= slower.high
        # The ratio of medians stands within the ratios' interval, but for what five pairs scatter.
        assert theirs.value / found.milliseconds.value == pytest.approx(slower.value, rel=1)


def test_without_onnx_only_torch_is_timed(transfer_bundle: Path) -> None:
    assert set(cost(transfer_bundle, onnx=False, repeats=2, paper=small()).paper.milliseconds) == {TORCH}


def test_the_edge_form_is_manifest_graph_and_golden(transfer_bundle: Path) -> None:
    bundle = open_bundle(transfer_bundle)
    read = [bundle.archive.read(name) for name in ("bundle.json", "model.onnx", "golden.npz")]
    assert edge_bytes(bundle) == sum(map(len, read))


def test_the_command_says_and_records_it(
    transfer_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineshape_training.transfer.cost.PaperNetwork", small)
    out = tmp_path / "cost.json"
    words = ["transfer-cost", str(transfer_bundle), "--no-onnx", "-o", str(out)]
    result = CliRunner().invoke(bench, words, catch_exceptions=False)
    assert "in PyTorch" in result.output
    found = msgspec.json.decode(out.read_bytes())["cost"]["raman-to-ir"]
    assert set(found["paper"]["times_slower"]) == {TORCH}
    assert found["milliseconds"]["low"] > 0


def test_a_sampler_is_refused(sample_bundle: Path) -> None:
    with pytest.raises(UnsupportedBundle, match="is for sample; this measures transfer"):
        cost(sample_bundle)
