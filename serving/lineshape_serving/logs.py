"""The log: one JSON object a line on standard error, with the id of the request that it is about, and whose it was."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from typing import Any

import msgspec

request_id: ContextVar[str] = ContextVar("request_id", default="")
caller_name: ContextVar[str] = ContextVar("caller_name", default="")
_USABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_logger = logging.getLogger("lineshape.serving")


class _Lines(logging.Formatter):
    """A record as JSON; whatever was said beside the event stands beside it."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "told", {}),
        }
        told |= {name: said for name, said in (("request_id", request_id.get()), ("key", caller_name.get())) if said}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()


def identify(given: str | None) -> str:
    """The id that a client gives its request, or else a new one; from here on every line of the log carries it."""
    identity = given if given is not None and _USABLE.fullmatch(given) else secrets.token_hex(8)
    request_id.set(identity)
    caller_name.set("")
    return identity


def log_to_standard_error() -> None:
    """Write the log, for a process that is a server."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # every stranger's malformed request was a line
    for logger in (_logger, logging.getLogger("uvicorn.error"), logging.getLogger("bentoml")):
        logger.handlers, logger.propagate = [handler], False


def log(event: str, level: int = logging.INFO, **told: Any) -> None:  # noqa: ANN401
    """Say that something happened."""
    _logger.log(level, event, extra={"told": told})


def log_failure(event: str, error: BaseException, **told: Any) -> None:  # noqa: ANN401
    """Say that something failed which nobody foresaw, with its traceback."""
    _logger.error(event, exc_info=error, extra={"told": told})
