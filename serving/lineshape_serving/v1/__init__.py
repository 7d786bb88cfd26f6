"""Endpoints for people, at /v1: files and plain JSON in, files and plain JSON out, every axis welcome."""

from __future__ import annotations

from lineshape_serving.v1.endpoints import names, routes

__all__ = ["names", "routes"]
