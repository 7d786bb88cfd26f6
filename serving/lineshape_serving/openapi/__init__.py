"""The OpenAPI 3.1 document of a server, generated from its loaded models and its message types."""

from __future__ import annotations

from lineshape_serving.openapi.endpoint import route
from lineshape_serving.openapi.whole import document

__all__ = ["document", "route"]
