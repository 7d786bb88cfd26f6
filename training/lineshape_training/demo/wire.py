"""The same models through the wire, by an unmodified tritonclient, against what the command line wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http
from numpy.typing import NDArray

from lineshape import noise
from lineshape.bundle import check_close
from lineshape.readers import read_spectra, read_spectrum
from lineshape_edge import Model
from lineshape_edge.tasks import gridded

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Agreement:
    """How far the wire's answer lies from the command line's; more than the bundle's tolerance is an error."""

    what: str
    deviation: float
    tolerance: float


def transferred(url: str, model: Model, file: Path, table: Path) -> Agreement:
    """A measured file sent as the model's grid, against the table that `lineshape transfer` wrote."""
    values, mask = gridded(model, read_spectrum(file))
    answer = infer(url, model.manifest.name, {"source": values[None], "mask": mask[None]})
    columns = {spectrum.metadata["column"]: spectrum.intensities for spectrum in read_spectra(table)}
    written = {"spectrum": columns["intensity"], "lower": columns["lower"], "upper": columns["upper"]}
    return _agreement(f"{model.manifest.name}: {file.name}", model, {k: v[None] for k, v in written.items()}, answer)


def sampled(url: str, model: Model, table: Path, n: int, seed: int) -> Agreement:
    """Samples of a seed, against the table that `lineshape sample` wrote."""
    answer = infer(url, model.manifest.name, {"seed": noise.seeds(seed, n), "noise_scale": np.ones((n, 1), np.float32)})
    written = np.stack([spectrum.intensities for spectrum in read_spectra(table)])
    return _agreement(f"{model.manifest.name}: {n} samples of seed {seed}", model, {"spectrum": written}, answer)


def infer(url: str, name: str, inputs: Arrays) -> Arrays:
    """One request with binary tensors."""
    client = tritonclient.http.InferenceServerClient(url)
    tensors = []
    for key, array in inputs.items():
        tensor = tritonclient.http.InferInput(key, list(array.shape), "INT64" if array.dtype == np.int64 else "FP32")
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    result = client.infer(name, tensors)
    names = [output["name"] for output in result.get_response()["outputs"]]
    client.close()
    return {key: result.as_numpy(key) for key in names}


def _agreement(what: str, model: Model, written: Arrays, answer: Arrays) -> Agreement:
    allowed = model.manifest.tolerances
    check_close("model", allowed, written, answer, f"through the wire, {what},")
    deviation = max(float(np.abs(answer[name] - written[name]).max()) for name in written)
    return Agreement(what, deviation, min(allowed[name].absolute for name in written))
