"""Ask a running service, through an unmodified Triton client, for what the same bundle answers in this process."""

from __future__ import annotations

import sys
import time
from typing import Any

import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from lineshape.bundle import Form, check_close
from lineshape_edge import Model


def main(url: str, path: str, key: str) -> None:
    """Call every form of the bundle at `path`, which the service at `url` has too."""
    headers = {"Authorization": f"Bearer {key}"}
    model = Model.open(path)
    with triton.InferenceServerClient(url) as client:
        told = client.get_model_metadata(model.manifest.name, headers=headers)
        if told["parameters"]["digest"] != model.digest:
            sys.exit(f"{url} serves another bundle than {path}")
        for wire, form in model.manifest.wire_names.items():
            print(f"client: {wire}: {ask(client, headers, model, wire, form):.1f} ms, and the numbers of this process")


def ask(client: triton.InferenceServerClient, headers: dict[str, str], model: Model, wire: str, form: Form) -> float:
    """Milliseconds of the call; it fails if the numbers are not the same within the bundle's tolerance."""
    inputs = model.bundle.golden(form)[0][0]
    begin = time.perf_counter()
    result = client.infer(wire, [tensor(name, array) for name, array in inputs.items()], headers=headers)
    elapsed = time.perf_counter() - begin
    expected = model.run(inputs, form)
    found = {name: result.as_numpy(name) for name in expected}
    check_close(form, model.manifest.allowed(form), expected, found, "through the wire")
    return 1e3 * elapsed


def tensor(name: str, array: NDArray[Any]) -> triton.InferInput:
    """An array as the client wants it."""
    return triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)


if __name__ == "__main__":
    main(*sys.argv[1:])
