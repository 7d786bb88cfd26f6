"""What to serve: given on the command line, carried to the service in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from lineshape.errors import UsageError
from lineshape_edge.session import Device

BUNDLES, THREADS, DEVICE = "LINESHAPE_BUNDLES", "LINESHAPE_THREADS", "LINESHAPE_DEVICE"


class Settings(Struct, frozen=True):
    """Which bundles run, and how.

    Parameters
    ----------
    bundles : tuple of str
        Paths; in the environment LINESHAPE_BUNDLES, separated as in PATH.
    threads : int
        ONNX Runtime's threads within an operator; LINESHAPE_THREADS.
    device : "cpu" or "cuda"
        LINESHAPE_DEVICE.
    """

    bundles: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    threads: Annotated[int, Meta(ge=1)] = 1
    device: Device = "cpu"

    @classmethod
    def given(cls, bundles: Sequence[str], threads: int | str, device: str) -> Settings:
        """Settings from outside.

        Raises
        ------
        UsageError
            If one is not what it should be; it is named.
        """
        try:
            return msgspec.convert({"bundles": bundles, "threads": threads, "device": device}, cls, strict=False)
        except msgspec.ValidationError as error:
            message = f"what to serve: {error}; name bundles, at least one thread, and cpu or cuda"
            raise UsageError(message) from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables back; raises like `given`."""
        bundles = environment.get(BUNDLES, "")
        return cls.given(
            bundles.split(os.pathsep) if bundles else [], environment.get(THREADS, "1"), environment.get(DEVICE, "cpu")
        )

    def to_environment(self) -> dict[str, str]:
        """The variables that carry the settings.

        Raises
        ------
        UsageError
            If a path holds the character that separates paths.
        """
        for bundle in self.bundles:
            if os.pathsep in bundle:
                raise UsageError(f"{bundle}: a bundle whose path holds {os.pathsep!r} cannot be served; rename it")
        return {BUNDLES: os.pathsep.join(self.bundles), THREADS: str(self.threads), DEVICE: self.device}
