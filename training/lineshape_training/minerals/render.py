"""Tables of simulated mineral spectra."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lineshape.axis import CU_K_ALPHA, SpectralAxis
from lineshape.errors import UsageError
from lineshape_training.lineshapes import area, profile, thompson
from lineshape_training.minerals.instrument import Instrument, detect, instrument_of
from lineshape_training.minerals.library import Mineral, Modality, load_minerals
from lineshape_training.minerals.specimen import Lines, Specimen, draw_specimen
from lineshape_training.spectra import PairTable, SpectraTable

AXES: dict[Modality, SpectralAxis] = {
    "raman": SpectralAxis.regular("raman", 150, 1300, 1151, laser_nm=532),
    "ir": SpectralAxis.regular("ir", 400, 1800, 701),
    "xrd": SpectralAxis.regular("xrd", 5, 90, 2048, xray_angstrom=CU_K_ALPHA),
}


def mineral_pairs(source: str, target: str, specimens: int, seed: int) -> PairTable:
    """Simulated spectra of the same specimens in two modalities.

    Parameters
    ----------
    source, target : str
        Two of ``raman``, ``ir``, ``xrd``.
    specimens : int
        Specimens of each mineral that has both. Specimen k is the same spectrum whatever this number is.
    seed : int
        At least 0; equal seeds give equal tables.

    Returns
    -------
    PairTable
        Group and label: the mineral; identity: mineral and specimen number.

    Raises
    ------
    UsageError
        For a modality that the library does not know, the same one twice, no specimens or a negative seed.
    """
    if source == target:
        raise UsageError(f"source and target are both {source!r}; choose two modalities")
    both = _modality(source), _modality(target)
    minerals = [m for m in load_minerals() if m.has(both[0]) and m.has(both[1])]
    return PairTable(*(_table(modality, minerals, specimens, seed) for modality in both))


def mineral_spectra(modality: str, specimens: int, seed: int) -> SpectraTable:
    """Simulated spectra of every mineral that has `modality`, labelled with the mineral.

    Parameters, groups and errors as in `mineral_pairs`.
    """
    known = _modality(modality)
    return _table(known, [m for m in load_minerals() if m.has(known)], specimens, seed)


def ideal(lines: Lines, instrument: Instrument, modality: Modality) -> NDArray[np.float64]:
    """Sum of a specimen's lines as an instrument without noise would record it, float64 [L].

    Broadening keeps each line's area; the instrument's Gaussian adds to the line's in quadrature.
    """
    position, areas, gauss, lorentz = (torch.from_numpy(column)[:, None] for column in lines)
    fwhm, eta = thompson((gauss**2 + instrument.resolution**2).sqrt(), lorentz)
    shapes = profile(torch.tensor(AXES[modality].values), position + instrument.offset, fwhm, eta)
    spectrum: NDArray[np.float64] = (areas / area(fwhm, eta) * shapes).sum(0).numpy()
    return spectrum


def measure(specimen: Specimen, modality: Modality) -> NDArray[np.float32]:
    """One simulated measurement of a specimen: Raman and XRD in counts, IR in absorbance; float32 [L]."""
    rng = specimen.stream(f"measured by {modality}")
    signal = ideal(specimen.lines(modality), instrument_of(modality, rng, specimen.seed), modality)
    return detect(modality, signal, AXES[modality].values, rng).astype(np.float32)


def _table(modality: Modality, minerals: list[Mineral], specimens: int, seed: int) -> SpectraTable:
    if specimens < 1 or seed < 0:
        raise UsageError(f"specimens must be at least 1 and seed at least 0; got {specimens} and {seed}")
    drawn = [draw_specimen(mineral, k, seed) for mineral in minerals for k in range(specimens)]
    values = np.stack([measure(specimen, modality) for specimen in drawn])
    names = np.array([specimen.mineral.name for specimen in drawn])
    identity = np.array([f"{specimen.mineral.name}-{specimen.number}" for specimen in drawn])
    return SpectraTable(values, np.ones_like(values), AXES[modality], names, identity, names)


def _modality(name: str) -> Modality:
    for modality in AXES:
        if modality == name:
            return modality
    raise UsageError(f"the mineral library has no modality {name!r}; choose from {', '.join(AXES)}")
