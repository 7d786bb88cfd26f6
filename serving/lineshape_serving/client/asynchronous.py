"""The client over aiohttp, for event loops."""

from __future__ import annotations

import asyncio
import io
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
    import aiohttp
    from yarl import URL
except ImportError:
    raise MissingExtra("the asynchronous client", "client") from None

T = TypeVar("T")


class AsyncClient:
    """`Client` for an event loop: the same parameters, methods, results and errors, to be awaited.

    It belongs to the loop that first calls it. Preprocessing runs in a thread, so the loop goes on meanwhile.
    """

    def __init__(self, url: str, api_key: str | None = None, *, ca: Path | str | None = None, retries: int = 4,
                 timeout: float = 60.0, connections: int = 16) -> None:  # fmt: skip
        self._transport = _Transport(place_of(url, api_key, ca), connections)
        self._calls = Calls(Patience(retries, timeout))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def models(self) -> tuple[str, ...]:
        """See `Client.models`."""
        return await self._done(self._calls.models())

    async def model(self, name: str) -> ServedModel:
        """See `Client.model`."""
        return await self._done(self._calls.model(name))

    async def sample(self, name: str, n: int, seed: int = 0, first: int = 0, label: str | None = None,
                     analyte: Mapping[str, float] | None = None, noise_scale: float | None = None,
                     extrapolate: bool = False) -> Spectra:  # fmt: skip
        """See `Client.sample`."""
        return await self._done(self._calls.sample(name, n, seed, first, label, analyte, noise_scale, extrapolate))

    async def transfer(self, name: str, spectra: Sequence[Spectrum]) -> list[Transferred]:
        """See `Client.transfer`."""
        return await self._done(self._calls.transfer(name, spectra))

    async def reconstruct(self, name: str, spectra: Sequence[Spectrum]) -> Spectra:
        """See `Client.reconstruct`."""
        return await self._done(self._calls.reconstruct(name, spectra))

    async def encode(self, name: str, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
        """See `Client.encode`."""
        return await self._done(self._calls.encode(name, spectra))

    async def interpolate(self, name: str, first: Spectrum, second: Spectrum, weights: ArrayLike) -> Spectra:
        """See `Client.interpolate`."""
        return await self._done(self._calls.interpolate(name, first, second, weights))

    async def _done(self, steps: Steps[T]) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    brought = await self._performed(effect)
                except LineshapeError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(brought)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _performed(self, effect: Effect) -> Any:  # noqa: ANN401 - what each effect brings
        match effect:
            case Request():
                return await self._transport.send(effect)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Compute(work):
                return await asyncio.to_thread(work)


class _Transport:
    """One pool of connections to one server; aiohttp wants it to be made inside the loop."""

    def __init__(self, place: Place, connections: int) -> None:
        if connections < 1:
            raise UsageError(f"connections: at least 1; got {connections}")
        self._place, self._connections = place, connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Reply:
        """One attempt."""
        url = URL(self._place.root + self._place.prefix + request.path, encoded=True)
        try:
            async with self._opened().request(
                request.method, url, data=io.BytesIO(request.body) if request.body else None,
                headers=request.headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=request.timeout),
            ) as reply:  # fmt: skip
                headers = {name.lower(): value for name, value in reply.headers.items()}
                return Reply(reply.status, headers, await reply.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            lasting = isinstance(error, aiohttp.ClientSSLError)
            raise UnreachableError(f"{self._place.root}: no answer: {error or 'too late'}", lasting) from None

    async def close(self) -> None:
        """Close its connections."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise UsageError("the client is closed")
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._place.tls or True)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._place.headers,
                                                  cookie_jar=aiohttp.DummyCookieJar())  # fmt: skip
        return self._session
