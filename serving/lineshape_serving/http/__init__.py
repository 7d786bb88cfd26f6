"""HTTP: the Open Inference Protocol v2 and the endpoints for people, as one ASGI application over a data plane."""

from __future__ import annotations

from lineshape_serving.http.app import application

__all__ = ["application"]
