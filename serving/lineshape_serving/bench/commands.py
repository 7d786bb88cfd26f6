"""The verb `lineshape bench serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lineshape_serving.bench.figures import Effort

PARTS = ("latency", "batching", "overload", "swap", "kill", "loadgen", "same")
WHEEL = Path("build/triton")


def bench_serve(
    spectra: Annotated[Path, typer.Option(help="A bundle that rebuilds spectra, so small that it shows its servers.")],
    heavy: Annotated[Path, typer.Option(help="A bundle of a few milliseconds a spectrum.")],
    only: Annotated[list[str] | None, typer.Argument(metavar="PART", help=f"Of {', '.join(PARTS)}; or all.")] = None,
    triton: Annotated[Path, typer.Option(help="Folder that nvidia-pytriton was installed into.")] = WHEEL,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
) -> None:
    """What serving costs and bears, beside in-process, a real Triton and BentoML's own JSON arrays."""
    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_serving.bench.figures import Effort

    if wrong := set(only or []) - set(PARTS):
        raise UsageError(f"{min(wrong)}: no part of the bench; there are {', '.join(PARTS)}")
    for part in only or PARTS:
        found = measured(part, spectra, heavy, triton, Effort())
        typer.echo(as_text(part, found))
        if out:
            results.record(out, "serve", part, found)


def measured(part: str, spectra: Path, heavy: Path, wheel: Path, effort: Effort) -> Any:  # noqa: ANN401 - each has its own
    """One part of the bench.

    Parameters
    ----------
    part : str
        One of `PARTS`.
    spectra, heavy : Path
        Bundles.
    wheel : Path
        Of Triton.
    effort : Effort
    """
    from tempfile import TemporaryDirectory

    from lineshape_serving.bench import batching, kill, latency, loadgen, overload, same, swap
    from lineshape_serving.bench.subject import Subject

    with TemporaryDirectory() as name:
        folder = Path(name)
        match part:
            case "latency":
                return latency.measure(Subject(spectra, "reconstruct"), wheel, folder, effort)
            case "batching":
                return batching.measure(Subject(heavy), folder, effort)
            case "overload":
                return overload.measure(Subject(heavy), folder, effort)
            case "swap":
                return swap.measure(Subject(spectra), folder, effort)
            case "kill":
                return kill.measure(Subject(spectra), folder, effort)
            case "loadgen":
                return loadgen.measure(Subject(spectra), folder, effort)
            case "same":
                return same.measure(Subject(heavy), wheel, folder, effort)


def as_text(part: str, found: object) -> str:
    """A line for each figure."""
    import msgspec

    return "\n".join(_lines(part, msgspec.to_builtins(found)))


def _lines(name: str, found: Any) -> list[str]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(found, dict):
        return [f"{name}: {found}"]
    if found.keys() == {"value", "low", "high"}:
        return [f"{name}: {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"]
    return [line for key, below in found.items() for line in _lines(f"{name} {key}", below)]
