"""How often a request is sent, and how long the pauses are. Inference is idempotent: to ask again is safe.

Exponential back-off with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), after
the time that the server itself asks for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from time import monotonic

from lineshape.errors import LineshapeError, OverloadError, UnreachableError, UsageError
from lineshape_serving.client.exchange import Pause, Reply, Request, Steps
from lineshape_serving.client.refusals import refusal

OK = 200
FIRST, LONGEST = 0.1, 5.0  # seconds: the longest first pause, and the longest of all


@dataclass(frozen=True)
class Patience:
    """How long a call may go on.

    Parameters
    ----------
    retries : int
        How often a request is repeated at most.
    timeout : float
        Seconds for a call with all its requests and pauses.

    Raises
    ------
    UsageError
        If one of them is not a number of times, or of seconds.
    """

    retries: int
    timeout: float

    def __post_init__(self) -> None:
        if self.retries < 0 or not 0 < self.timeout < float("inf"):
            raise UsageError(f"a client needs retries >= 0 and a timeout in seconds; got {self.retries} and "
                             f"{self.timeout:g}")  # fmt: skip


class Persistence:
    """One call's requests, each sent until it is answered, within the call's time.

    Parameters
    ----------
    patience : Patience
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._until = monotonic() + patience.timeout

    def send(self, request: Request) -> Steps[Reply]:
        """The answer to a request.

        Raises
        ------
        LineshapeError
            See `refusal`: what the server refuses, at once; what it has no room for, and its silence, in the end.
        """
        for attempt in range(self._patience.retries + 1):
            try:
                return (yield from self._once(request))
            except (OverloadError, UnreachableError) as error:
                pause = pause_after(error, attempt)
                if attempt == self._patience.retries or pause is None or monotonic() + pause >= self._until:
                    raise
            yield Pause(pause)
        raise AssertionError  # the last attempt returns or raises

    def _once(self, request: Request) -> Steps[Reply]:
        left = self._until - monotonic()
        if left <= 0:
            raise UnreachableError(f"no answer within {self._patience.timeout:g} s", lasting=True)
        reply: Reply = yield replace(request, timeout=left)
        if reply.status != OK:
            raise refusal(reply)
        return reply


def pause_after(error: LineshapeError, attempt: int) -> float | None:
    """Seconds until the next attempt; None where there should be none."""
    jitter = random.uniform(0, min(LONGEST, FIRST * 2**attempt))  # noqa: S311 - only spreads clients in time
    if isinstance(error, UnreachableError):
        return None if error.lasting else jitter
    return jitter + (error.retry_after if isinstance(error, OverloadError) else 0)
