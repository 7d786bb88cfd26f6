"""One path on real spectra: measured pairs, a fit, a bundle, and the same numbers from command line and wire."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from fits import short
from services import lineshape, served

from lineshape.bundle import check_close
from lineshape.readers import read_spectra, read_spectrum
from lineshape_edge import Model
from lineshape_edge.tasks import gridded
from lineshape_export import export_run
from lineshape_training import fitting, loading

PAIRS = {"raman-to-ir": "raman_ir_pairs.npz", "raman-to-xrd": "raman_xrd_pairs.npz"}


@pytest.mark.parametrize("name", PAIRS)
def test_a_measured_file_gives_the_same_numbers_at_the_edge_and_through_the_wire(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    data = shared_data / "rruff" / PAIRS[name]
    plan = short(name)
    table = loading.load_table(str(data), plan)
    run = fitting.fit(plan, table, tmp_path / "run", data=data.name, data_sha256=loading.fingerprint(str(data)))
    bundle = tmp_path / f"{name}.lineshape"
    export_run(run, bundle)
    file = next((shared_data / "rruff" / "text" / "raman").glob("Enstatite*.txt"))

    done = lineshape(tmp_path, "transfer", bundle, file, "-o", tmp_path / "out.csv", "--plot", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").stat().st_size > 10_000
    columns = {s.metadata["column"]: s for s in read_spectra(tmp_path / "out.csv")}
    model = Model.open(bundle)
    assert columns["intensity"].axis == model.manifest.axis("spectrum")
    written = {"spectrum": columns["intensity"], "lower": columns["lower"], "upper": columns["upper"]}

    values, mask = gridded(model, read_spectrum(file))
    (tmp_path / "served").mkdir()
    with served(tmp_path / "served", bundle) as service, triton.InferenceServerClient(service.url) as client:
        tensors = []
        for key, row in {"source": values, "mask": mask}.items():
            tensors.append(triton.InferInput(key, [1, len(row)], "FP32"))
            tensors[-1].set_data_from_numpy(row[None])
        answer = client.infer(name, tensors)
    found = {key: answer.as_numpy(key) for key in written}
    expected = {key: spectrum.intensities[None].astype(np.float32) for key, spectrum in written.items()}
    check_close("model", model.manifest.tolerances, expected, found, "through the wire")
