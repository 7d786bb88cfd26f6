"""The axis of a spectrum: what was measured (modality), in which unit, at which points.

Units convert where physics says they do. Photon units (nm, um, cm-1, THz, eV) convert through the vacuum
wavelength; a Raman shift needs its laser; a diffraction angle needs its X-ray wavelength (Bragg's law,
lambda = 2 d sin theta). Nothing else converts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape.errors import AxisError

Unit: TypeAlias = Literal["cm-1", "nm", "um", "THz", "eV", "deg 2theta", "angstrom", "m/z"]
Order: TypeAlias = Literal["ascending", "descending"]
Conversion: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]

SPEED_OF_LIGHT = 299_792_458.0  # m/s, exact
EV_NM = 1239.841984  # h c / e in eV nm (CODATA 2018)
CU_K_ALPHA = 1.5406  # angstrom, the K-alpha 1 line of copper

# The unit in which each modality of the field is usually given. Other modalities are welcome: they name a unit.
USUAL_UNIT: dict[str, Unit] = {
    "raman": "cm-1",
    "ir": "cm-1",
    "nir": "nm",
    "uv-vis": "nm",
    "fluorescence": "nm",
    "thz": "THz",
    "xrd": "deg 2theta",
    "maldi": "m/z",
}

# Each photon unit as wavelength in nm; every one of these maps is its own inverse up to the constant.
_NM_FROM: dict[str, Conversion] = {
    "nm": lambda x: x,
    "um": lambda x: x * 1e3,
    "cm-1": lambda x: 1e7 / x,
    "THz": lambda x: SPEED_OF_LIGHT * 1e-3 / x,
    "eV": lambda x: EV_NM / x,
}
_NM_TO: dict[str, Conversion] = _NM_FROM | {"um": lambda nm: nm * 1e-3}


@dataclass(frozen=True, eq=False)
class SpectralAxis:
    """Points at which a spectrum was measured, strictly ascending or strictly descending.

    Parameters
    ----------
    values : float64 [n], n >= 2
        Finite, strictly monotonic positions in `unit`.
    modality : str
        ``raman``, ``ir``, ``xrd``, ``nir``, ``uv-vis``, ``fluorescence``, ``thz``, ``maldi`` or another
        lower-case name.
    unit : str
        One of `Unit`. For ``raman`` in ``cm-1`` the values are Raman shifts.
    laser_nm, xray_angstrom : float, optional
        Excitation wavelength (Raman, fluorescence) and X-ray wavelength (XRD).

    Raises
    ------
    AxisError
        If the points are not an axis, or the unit is unknown.
    """

    values: NDArray[np.float64]
    modality: str
    unit: Unit
    laser_nm: float | None = None
    xray_angstrom: float | None = None
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)  # a copy of our own, so that it can be frozen
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "order", _order_of(values))
        if self.unit not in get_args(Unit):
            raise AxisError(f"unknown unit {self.unit!r}; use one of {', '.join(get_args(Unit))}")
        if not self.modality or self.modality != self.modality.lower().strip():
            raise AxisError(f"a modality is a lower-case name such as 'raman'; got {self.modality!r}")

    @classmethod
    def of(cls, values: ArrayLike, modality: str, unit: Unit | None = None, **beam: float | None) -> SpectralAxis:
        """Axis of a modality in its usual unit, unless another is named."""
        if unit is None and modality not in USUAL_UNIT:
            raise AxisError(f"modality {modality!r} has no usual unit; name one of {', '.join(get_args(Unit))}")
        return cls(np.asarray(values, np.float64), modality, unit or USUAL_UNIT[modality], **beam)

    @classmethod
    def regular(cls, modality: str, first: float, last: float, n: int, unit: Unit | None = None,
                **beam: float | None) -> SpectralAxis:  # fmt: skip
        """Axis of `n` evenly spaced points from `first` to `last`, both included."""
        if n < 2:
            raise AxisError(f"an axis needs at least 2 points; got n={n}")
        return cls.of(np.linspace(first, last, n), modality, unit, **beam)

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SpectralAxis)
            and (self.modality, self.unit) == (other.modality, other.unit)
            and (self.laser_nm, self.xray_angstrom) == (other.laser_nm, other.xray_angstrom)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.modality, self.unit, self.values.tobytes()))

    @property
    def first(self) -> float:
        """Position of the first point."""
        return float(self.values[0])

    @property
    def last(self) -> float:
        """Position of the last point."""
        return float(self.values[-1])

    @property
    def low(self) -> float:
        """Smallest position."""
        return min(self.first, self.last)

    @property
    def high(self) -> float:
        """Largest position."""
        return max(self.first, self.last)

    @property
    def is_regular(self) -> bool:
        """True if the points are evenly spaced to within 1e-6 of a step."""
        steps = np.diff(self.values)
        return bool(np.ptp(steps) <= 1e-6 * abs(steps.mean()))

    def reversed(self) -> SpectralAxis:
        """The same points in the other order."""
        return replace(self, values=self.values[::-1])

    def to(self, unit: Unit) -> SpectralAxis:
        """The same points in another unit; their order may turn round.

        Raises
        ------
        AxisError
            Where the conversion has no meaning, or needs a wavelength that the axis does not carry.
        """
        if unit == self.unit:
            return self
        convert = _diffraction if self.modality == "xrd" else _raman if self.modality == "raman" else _photon
        return replace(self, values=convert(self, unit), unit=unit)


def _order_of(values: NDArray[np.float64]) -> Order:
    if values.ndim != 1 or len(values) < 2:
        raise AxisError(f"an axis is one row of at least 2 points; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise AxisError(f"axis point {int(np.argmin(np.isfinite(values)))} is not a finite number")
    steps = np.diff(values)
    if (steps > 0).all():
        return "ascending"
    if (steps < 0).all():
        return "descending"
    wrong = int(np.argmax(np.sign(steps) != np.sign(values[-1] - values[0])))
    raise AxisError(f"axis points must strictly rise or fall; points {wrong} and {wrong + 1} do not: "
                    f"{values[wrong]:g}, {values[wrong + 1]:g}")  # fmt: skip


def _photon(axis: SpectralAxis, unit: Unit) -> NDArray[np.float64]:
    if axis.unit not in _NM_FROM or unit not in _NM_TO:
        raise _no_way(axis, unit)
    if axis.low <= 0:
        raise AxisError(f"{axis.unit} converts to {unit} above 0 only; the axis starts at {axis.low:g}")
    return _NM_TO[unit](_NM_FROM[axis.unit](axis.values))


def _raman(axis: SpectralAxis, unit: Unit) -> NDArray[np.float64]:
    """Shift = 1e7 / laser - 1e7 / scattered wavelength (Stokes side positive)."""
    if axis.unit not in _NM_FROM or unit not in _NM_TO:
        raise _no_way(axis, unit)
    if axis.laser_nm is None:
        raise AxisError(f"Raman {axis.unit} converts to {unit} only with its laser wavelength; set laser_nm")
    laser = 1e7 / axis.laser_nm
    scattered = laser - axis.values if axis.unit == "cm-1" else 1e7 / _NM_FROM[axis.unit](axis.values)
    if (scattered <= 0).any():
        raise AxisError(
            f"a Raman shift reaches beyond the {axis.laser_nm:g} nm laser's own wavenumber, {laser:.0f} cm-1"
        )
    return laser - scattered if unit == "cm-1" else _NM_TO[unit](1e7 / scattered)


def _diffraction(axis: SpectralAxis, unit: Unit) -> NDArray[np.float64]:
    """Bragg's law, first order: d = lambda / (2 sin(two-theta / 2))."""
    if {axis.unit, unit} != {"deg 2theta", "angstrom"}:
        raise _no_way(axis, unit)
    if axis.xray_angstrom is None:
        raise AxisError(f"{axis.unit} converts to {unit} only with its X-ray wavelength; set xray_angstrom")
    half = axis.xray_angstrom / 2
    if unit == "angstrom":
        if not (axis.low > 0 and axis.high <= 180):
            raise AxisError("two-theta must lie above 0 and up to 180 degrees to become a d-spacing")
        return half / np.sin(np.radians(axis.values / 2))
    if axis.low < half:
        raise AxisError(f"no angle diffracts from d = {axis.low:g} angstrom at {axis.xray_angstrom:g} angstrom")
    return 2 * np.degrees(np.arcsin(half / axis.values))


def _no_way(axis: SpectralAxis, unit: Unit) -> AxisError:
    return AxisError(f"{axis.modality} in {axis.unit} does not convert to {unit}")
