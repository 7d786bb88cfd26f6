"""Spectra of common minerals, simulated from an embedded table of lines, for work without any data at hand.

The table (`library.json`) holds Raman and IR lines fitted to measured spectra and powder XRD sticks computed from
published structures, each cited. Everything rendered from it is simulated and serves demonstrations and tests; no
result on it says how a model does on real specimens.
"""

from lineshape_training.minerals.library import Fitted, Line, Mineral, Stick, load_library, load_minerals
from lineshape_training.minerals.render import AXES, mineral_pairs, mineral_spectra

__all__ = [
    "AXES",
    "Fitted",
    "Line",
    "Mineral",
    "Stick",
    "load_library",
    "load_minerals",
    "mineral_pairs",
    "mineral_spectra",
]
