"""Which models are loaded under which name and version, and which version answers who names none.

Whoever looks sees one state or the next: every change builds new tables and puts them in place in one assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lineshape.bundle import Form, GraphSpec
from lineshape.errors import UnknownModel
from lineshape_edge import Model
from lineshape_serving.describe import ModelConfig, ModelMetadata, config, metadata
from lineshape_serving.lane import Lane
from lineshape_serving.statistics import Statistics

if TYPE_CHECKING:
    from lineshape_serving.metrics import ModelMetrics

Versions: TypeAlias = Mapping[str, "Served"]


@dataclass(frozen=True, eq=False)
class Served:
    """One form of a bundle under its name on the wire, with the lane that leads to it."""

    name: str
    form: Form
    model: Model
    lane: Lane
    statistics: Statistics
    metrics: ModelMetrics

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.model.manifest.version

    @property
    def graph(self) -> GraphSpec:
        """Its tensors."""
        return self.model.manifest.graphs[self.form]

    @property
    def metadata(self) -> ModelMetadata:
        """What it is."""
        return metadata(self.name, (self.version,), self.form, self.model.manifest, self.model.digest)

    def config(self, device: str, runners: int) -> ModelConfig:
        """How it runs."""
        return config(self.name, self.form, self.model.manifest, self.model.digest, device, runners)


class Registry:
    """The loaded models."""

    def __init__(self) -> None:
        self._state: tuple[dict[str, Versions], dict[str, str]] = ({}, {})

    @property
    def names(self) -> tuple[str, ...]:
        """Every name on the wire."""
        return tuple(self._state[0])

    def __iter__(self) -> Iterator[Served]:
        for versions in self._state[0].values():
            yield from versions.values()

    def find(self, name: str, version: str | None = None) -> Served:
        """The model of a name; of the default version, where none is asked for.

        Raises
        ------
        UnknownModel
            If it is not loaded, or not in that version.
        """
        models, defaults = self._state
        versions = models.get(name)
        if versions is None:
            raise UnknownModel(f"no model {name!r} here; loaded are {', '.join(sorted(models)) or 'none'}")
        found = versions.get(version or defaults[name])
        if found is None:
            raise UnknownModel(f"model {name!r} has no version {version!r}; it is loaded as {', '.join(versions)}")
        return found

    def versions(self, name: str) -> tuple[str, ...]:
        """The loaded versions of a name, its default first; none for a name that is not loaded."""
        models, defaults = self._state
        return tuple(sorted(models.get(name, ()), key=lambda version: version != defaults[name]))

    def replace(self, leave: Iterable[Served], enter: Iterable[Served], default: Iterable[Served]) -> None:
        """Take some models out and put others in, and make some the defaults of their names; in one step."""
        models: dict[str, dict[str, Served]] = {name: dict(versions) for name, versions in self._state[0].items()}
        defaults = dict(self._state[1])
        for served in leave:
            del models[served.name][served.version]
        for served in enter:
            models.setdefault(served.name, {})[served.version] = served
        defaults |= {served.name: served.version for served in default}
        left: dict[str, Versions] = {name: versions for name, versions in models.items() if versions}
        self._state = (left, {name: _default(defaults.get(name), versions) for name, versions in left.items()})


def _default(wanted: str | None, versions: Versions) -> str:
    """The default that was, or else the highest version."""
    return wanted if wanted is not None and wanted in versions else max(versions, key=order)


def order(version: str) -> list[int]:
    """What sorts versions: 0.10.0 comes after 0.9.0."""
    return [int(number) for number in version.split(".")]
