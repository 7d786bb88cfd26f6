"""Large contents as tests compare them: where they differ, pytest would spend minutes on how."""

from __future__ import annotations

from hashlib import sha256


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()
