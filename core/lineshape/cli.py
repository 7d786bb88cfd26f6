"""The command `lineshape`: one verb for each thing a person does.

Every room registers its verbs as entry points of the group `lineshape.commands`. A verb's module is light to import;
what it needs to work is imported when it runs, and if that is missing the answer is the extra to install.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.metadata import version as installed
from typing import Annotated

import typer

from lineshape.errors import LineshapeError, MissingExtra

GROUP = "lineshape.commands"


def main() -> None:
    """Run the command line; every deliberate error becomes one line and its exit code."""
    try:
        _application()()
    except LineshapeError as error:
        typer.echo(f"lineshape: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None:
            raise
        missing = MissingExtra(f"'{' '.join(sys.argv[1:2])}' (package {error.name} is not installed)", _extra(sys.argv))
        typer.echo(f"lineshape: {missing}", err=True)
        sys.exit(missing.exit_code)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(installed("lineshape"))
        raise typer.Exit


def _application() -> typer.Typer:
    application = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    application.callback()(_about)
    groups = {"": application}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        group, _, name = point.name.rpartition(".")  # `bench.export`: a room adds a verb to the group of another
        verb = point.load()
        if isinstance(verb, typer.Typer):
            groups[group].add_typer(verb, name=name)
            groups[point.name] = verb
        else:
            groups[group].command(name)(verb)
    return application


def _about(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show it.")] = False,
) -> None:
    """Generative models of spectra: train, validate, seal into one bundle, serve."""


def _extra(arguments: list[str]) -> str:
    """The extra that a verb names, or else that of its room: `lineshape_edge.commands` asks for `edge`."""
    verbs: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    point = verbs.get(".".join(arguments[1:3])) or verbs.get("".join(arguments[1:2]))
    if point is None:
        return "all"
    return point.extras[0] if point.extras else point.module.split(".")[0].removeprefix("lineshape_")
