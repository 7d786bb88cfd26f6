"""What a server says of a model, in the words of either server."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lineshape.axis import SpectralAxis
from lineshape.errors import UnsupportedBundle
from lineshape_serving.client.refusals import not_the_protocol
from lineshape_serving.describe import FACTS, ModelParameters, Text


class ServedModel(ModelParameters, frozen=True):
    """A model on a server: its digest, task, axes, preprocessing, classes, analytes and limits.

    Parameters
    ----------
    name, version : str
        As the server calls them; Triton's versions are numbers of its own.
    """

    name: str
    version: str

    def axis(self, key: str) -> SpectralAxis:
        """The axis ``source`` or ``spectrum``.

        Raises
        ------
        UnsupportedBundle
            If the model has no such axis.
        """
        if key not in self.axes:
            raise UnsupportedBundle(f"model {self.name} has no axis {key!r}; it has {', '.join(self.axes)}")
        return self.axes[key].axis()


class Told(Struct, frozen=True):
    """The protocol's model metadata, of which Triton gives no parameters."""

    name: str
    versions: tuple[str, ...] = ("",)
    parameters: ModelParameters | UnsetType = UNSET

    def served(self, parameters: ModelParameters) -> ServedModel:
        """The model, the first of its versions being the one that answers."""
        return ServedModel(**msgspec.structs.asdict(parameters), name=self.name, version=self.versions[0])


class _Configured(Struct, frozen=True):
    parameters: dict[str, Text] = {}


class Listed(Struct, frozen=True):
    """A line of the repository index."""

    name: str


def parameters_of(config: bytes, name: str) -> ModelParameters:
    """What `lineshape triton` wrote into a model's configuration.

    Raises
    ------
    UnsupportedBundle
        If nothing is there.
    """
    with not_the_protocol(f"configuration of model {name}"):
        told = msgspec.json.decode(config, type=_Configured).parameters.get(FACTS)
        if told is not None:
            return msgspec.json.decode(told.string_value, type=ModelParameters)
    raise UnsupportedBundle(f"model {name!r}: the server does not say what it takes; write its Triton repository "
                            "with `lineshape triton`")  # fmt: skip
