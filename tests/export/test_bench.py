"""The table of `lineshape bench export`: every family has a line, and a line is measured, not told."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from terminal import lineshape

from lineshape.bundle import open_bundle
from lineshape_edge import Model
from lineshape_export.bench.formats import FORMATS
from lineshape_export.bench.subjects import SUBJECTS, Subject
from lineshape_export.bench.table import as_text, line_of
from lineshape_training import recipe
from lineshape_training.families import FAMILIES


def test_every_family_has_a_line() -> None:
    assert {recipe.load(subject.recipe, subject.size).family for subject in SUBJECTS} == set(FAMILIES)
    assert len({subject.name for subject in SUBJECTS}) == len(SUBJECTS)


def test_a_line_has_every_format_measured(sample_bundle: Path, tmp_path: Path) -> None:
    beside = Model(open_bundle(sample_bundle))  # that of the table takes longer to fit and to trace
    scale = np.ones((64, 1), np.float32)
    line = line_of(
        Subject("saliva-cgan"),
        tmp_path,
        lambda rows: partial(beside.run, {"seed": rows, "noise_scale": scale[: len(rows)]}),
    )
    assert set(line.formats) == set(FORMATS)
    for name, found in line.formats.items():
        assert found.milliseconds["1"].value > 0
        assert name == "eager" or (found.size > 1e5 and found.seconds >= 0)
        assert (found.nodes is not None) == (name in ("ONNX", "noise ONNX", "fp16", "int8"))
    # TorchScript and torch.export run PyTorch's own kernels; ONNX Runtime sums in another order.
    assert line.formats["TorchScript"].deviation <= line.formats["ONNX"].deviation + 1e-6 < 1e-4
    assert 1e-5 < line.formats["fp16"].deviation < 0.01
    assert line.of_reference.low < line.of_reference.high
    assert "cgan: " in as_text("cgan", line)


def test_a_line_that_there_is_not_is_refused() -> None:
    done = lineshape("bench", "export", "cgann")
    assert done.returncode == 2
    assert "cgann: no line of the table; there are wgan-gp gpu, wgan-gp," in done.stderr
