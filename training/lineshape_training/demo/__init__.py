"""The whole path on the simulated mineral library, by the commands that a user would type."""

from __future__ import annotations

from lineshape_training.demo.path import run_demo

__all__ = ["run_demo"]
