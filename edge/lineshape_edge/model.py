"""A bundle that runs: the runtime behind every face."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lineshape.bundle import Bundle, Form, Manifest, Task, check_close, check_inputs, open_bundle
from lineshape.errors import UnsupportedBundle
from lineshape.library import Library, decode_library
from lineshape_edge.plans import require
from lineshape_edge.session import Arrays, Device, Session


class Model:
    """A verified bundle with a session for each form of its graph; thread-safe.

    Parameters
    ----------
    bundle : Bundle
    threads, device
        See `Session`.
    forms : collection of Form, optional
        Those that are to run; by default all.
    """

    def __init__(self, bundle: Bundle, threads: int = 1, device: Device = "cpu",
                 forms: Collection[Form] | None = None) -> None:  # fmt: skip
        self.bundle = bundle
        graphs = {form: graph for form, graph in bundle.manifest.graphs.items() if forms is None or form in forms}
        self._sessions = {form: Session(bundle.read(graph.file), threads, device) for form, graph in graphs.items()}

    @classmethod
    def open(cls, path: Path | str, threads: int = 1, device: Device = "cpu") -> Model:
        """Verify the bundle at `path`, load it, and hold it against its golden cases.

        Raises
        ------
        BundleError
            If it is not as sealed, cannot be loaded, or answers differently on this machine.
        """
        model = cls(open_bundle(path), threads, device)
        model.self_test()
        return model

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    @property
    def digest(self) -> str:
        """The bundle's identity, sha256 of its manifest."""
        return self.bundle.digest

    @cached_property
    def library(self) -> Library | None:
        """The source spectra of a transfer's fit, where the bundle holds them; read when first asked for.

        Raises
        ------
        UnsupportedBundle
            If they are damaged.
        """
        name = self.manifest.library
        return decode_library(self.bundle.read(name), self.manifest.axes["source"].n) if name else None

    def run(self, inputs: Mapping[str, NDArray[Any]], form: Form = "model") -> Arrays:
        """One pass over one batch.

        Parameters
        ----------
        inputs : mapping of tensor name to array [n, ...]
            Exactly the graph's inputs, in the manifest's dtypes.
        form : "model", "noise", "fp16" or "int8"

        Returns
        -------
        dict of tensor name to array [n, ...]

        Raises
        ------
        TensorError
            If an input is not what the manifest says; it names the element.
        """
        self.check(inputs, form)
        return self.compute(inputs, form)

    def check(self, inputs: Mapping[str, NDArray[Any]], form: Form = "model") -> None:
        """Refuse inputs as `run` does, without running."""
        manifest = self.manifest
        if form not in self._sessions:
            raise UnsupportedBundle(
                f"bundle {manifest.name} runs no form {form!r}; it runs {', '.join(self._sessions)}"
            )
        check_inputs(manifest.graphs[form], manifest.limits, len(manifest.classes), inputs)

    def compute(self, inputs: Mapping[str, NDArray[Any]], form: Form = "model") -> Arrays:
        """Run over inputs that were checked, as of several requests joined into one batch."""
        return self._sessions[form].run(inputs)

    def self_test(self) -> None:
        """Run the golden cases of every form that is to run, and read the library.

        Raises
        ------
        ParityError
            If an output misses the recorded one by more than the bundle's tolerance.
        UnsupportedBundle
            If the library is damaged.
        """
        _ = self.library
        for form in self._sessions:
            for case, (inputs, outputs) in enumerate(self.bundle.golden(form)):
                found, allowed = self.run(inputs, form), self.manifest.allowed(form)
                check_close(form, allowed, outputs, found, f"of golden case {case}", inputs)

    def require(self, task: Task) -> None:
        """Refuse a bundle made for something else.

        Raises
        ------
        UnsupportedBundle
            Naming the task it was made for.
        """
        require(self.manifest, task)
