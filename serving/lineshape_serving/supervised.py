"""`bentoml serve`, whose supervisor looks after its worker every second, where BentoML has it look every ten.

A worker that was killed is then back within seconds; the supervisor holds the socket, so clients that connect meanwhile
wait and are answered. BentoML has no setting for this. Run as `python -m lineshape_serving.supervised serve ...`.
"""

from __future__ import annotations

from functools import partial

from bentoml._internal.utils import circus
from bentoml_cli.cli import cli

LOOK = 1.0  # seconds

if __name__ == "__main__":
    circus.create_standalone_arbiter = partial(circus.create_standalone_arbiter, check_delay=LOOK)
    cli(prog_name="bentoml")
