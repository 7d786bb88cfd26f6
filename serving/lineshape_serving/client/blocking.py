"""The client over urllib3, for scripts and threads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape.errors import LineshapeError, MissingExtra, UnreachableError, UsageError
from lineshape.spectrum import Spectrum
from lineshape_edge.plans import Transferred
from lineshape_serving.client.calls import Calls
from lineshape_serving.client.exchange import Compute, Effect, Pause, Reply, Request, Steps
from lineshape_serving.client.model import ServedModel
from lineshape_serving.client.place import Place, place_of
from lineshape_serving.client.retries import Patience
from lineshape_serving.client.spectra import Spectra

try:
    import urllib3
except ImportError:
    raise MissingExtra("the client", "client") from None

T = TypeVar("T")


class Client:
    """A server of spectra: `lineshape serve`, or a Triton with a repository of `lineshape triton`.

    Connections are kept and used again; any number of threads may call one client.

    Parameters
    ----------
    url : str
        Such as ``https://spectra.example:3000``, with a path where the server is behind one.
    api_key : str, optional
        Sent with every request, as ``Authorization: Bearer``. Over plain http, whoever is in between can read it.
    ca : Path or str, optional
        Certificates, in PEM form, of the authority that vouches for the server, in place of those that this machine
        trusts. That the server is who it should be is always verified.
    retries : int
        How often a request is repeated, when the server has no room for it (429, 503) or the connection fails.
    timeout : float
        Seconds that a call may take, with all its requests and the pauses between them.
    connections : int
        Most that are open at a time; further calls wait for one.

    Raises
    ------
    UsageError
        If one of these cannot be meant.
    """

    def __init__(self, url: str, api_key: str | None = None, *, ca: Path | str | None = None, retries: int = 4,
                 timeout: float = 60.0, connections: int = 16) -> None:  # fmt: skip
        self._transport = _Transport(place_of(url, api_key, ca), connections)
        self._calls = Calls(Patience(retries, timeout))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def models(self) -> tuple[str, ...]:
        """The names of the models that are ready.

        Raises
        ------
        LineshapeError
            Of this and of every other call, by what the server answers: `TensorError` (400), `AccessError` (401),
            `ForbiddenError` (403), `UnknownModel` (404), `DataError` (422), `QuotaError` (429), `OverloadError` (503),
            or else `LineshapeError`, with the server's message; `UnreachableError` where it does not answer.
        """
        return self._done(self._calls.models())

    def model(self, name: str) -> ServedModel:
        """What a model is: task, axes, preprocessing, classes, analytes, limits, digest."""
        return self._done(self._calls.model(name))

    def sample(self, name: str, n: int, seed: int = 0, first: int = 0, label: str | None = None,
               analyte: Mapping[str, float] | None = None, noise_scale: float | None = None,
               extrapolate: bool = False) -> Spectra:  # fmt: skip
        """Draw spectra; sample i of a seed is always the same.

        Parameters
        ----------
        name : str
            A model for task ``sample``.
        n, seed, first, label, analyte, noise_scale, extrapolate
            See `lineshape_edge.sample`.

        Returns
        -------
        Spectra [n, L]
            On the model's axis.

        Raises
        ------
        UsageError
            If the model needs another label or other analytes (they are listed), or an amount is outside the fit's.
        """
        return self._done(self._calls.sample(name, n, seed, first, label, analyte, noise_scale, extrapolate))

    def transfer(self, name: str, spectra: Sequence[Spectrum]) -> list[Transferred]:
        """Transfer measured spectra to the model's target modality.

        Parameters
        ----------
        name : str
            A model for task ``transfer``.
        spectra : sequence of Spectrum
            On any axis of the source modality that reaches the model's grid; they are brought there on this machine.

        Returns
        -------
        list of Transferred
            The spectra of the fit stay with the server, so `nearest` is None and no caution is of them.

        Raises
        ------
        AxisError
            If a spectrum covers less than half of the grid or is of another modality.
        DataError
            If a spectrum is flat.
        """
        return self._done(self._calls.transfer(name, spectra))

    def reconstruct(self, name: str, spectra: Sequence[Spectrum]) -> Spectra:
        """What a model for task ``reconstruct`` understands of measured spectra, on its axis."""
        return self._done(self._calls.reconstruct(name, spectra))

    def encode(self, name: str, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
        """The latents [n, d] of measured spectra, of a model for task ``encode``."""
        return self._done(self._calls.encode(name, spectra))

    def interpolate(self, name: str, first: Spectrum, second: Spectrum, weights: ArrayLike) -> Spectra:
        """Spectra between two measured ones, of a model for task ``interpolate``; see `lineshape_edge.interpolate`."""
        return self._done(self._calls.interpolate(name, first, second, weights))

    def _done(self, steps: Steps[T]) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    brought = self._performed(effect)
                except LineshapeError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(brought)
        except StopIteration as end:
            result: T = end.value
            return result

    def _performed(self, effect: Effect) -> Any:  # noqa: ANN401 - what each effect brings
        match effect:
            case Request():
                return self._transport.send(effect)
            case Pause(seconds):
                return time.sleep(seconds)
            case Compute(work):
                return work()


class _Transport:
    """One pool of connections to one server."""

    def __init__(self, place: Place, connections: int) -> None:
        if connections < 1:
            raise UsageError(f"connections: at least 1; got {connections}")
        self._place = place
        tls = {} if place.tls is None else {"ssl_context": place.tls}
        self._pool = urllib3.connection_from_url(place.root, maxsize=connections, block=True, **tls)

    def send(self, request: Request) -> Reply:
        """One attempt."""
        try:
            reply = self._pool.urlopen(
                request.method, self._place.prefix + request.path, request.body or None,
                {**self._place.headers, **request.headers}, retries=False, redirect=False,
                timeout=urllib3.Timeout(total=request.timeout), pool_timeout=request.timeout,  # type: ignore[arg-type] # any number
            )  # fmt: skip
        except urllib3.exceptions.ClosedPoolError:
            raise UsageError("the client is closed") from None
        except urllib3.exceptions.HTTPError as error:
            lasting = isinstance(error, urllib3.exceptions.SSLError)
            raise UnreachableError(f"{self._place.root}: no answer: {error}", lasting) from None
        return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.data)

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()
