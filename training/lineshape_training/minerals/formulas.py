"""What a mineral's formula says it is made of: elements, and groups of atoms that vibrate as one.

Formulas are read as RRUFF writes them: subscripts between underscores, charges between carets, and alternatives in
brackets.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lineshape_training.spectra import Amounts

COMMON = 0.015  # share of the formulas that an element stands in before it is asked about
GROUPS = ("CO3", "SO4", "PO4", "AsO4", "VO4", "BO3", "NO3", "OH", "H2O", "SiO4", "Si2O7", "SiO3", "Si2O6", "Si4O10",
          "Si3O10", "Si4O11", "Si8O22", "Al2Si2", "SeO", "TeO", "CrO4")  # fmt: skip
ANIONS = frozenset(("Si", "C", "S", "P", "As", "V", "B", "N", "W", "Mo", "Cr", "Te", "Se"))
_ELEMENT = re.compile(r"[A-Z][a-z]?")
_CHARGE = re.compile(r"\^[^^]*\^")


def constituents(formulas: Sequence[str]) -> dict[str, Amounts]:
    """Whether each formula holds each common element and each group of atoms.

    Parameters
    ----------
    formulas : sequence of str [n]

    Returns
    -------
    dict of name to float64 [n]
        1 where it does, 0 where not; ``oxide`` is oxygen without an element that makes an anion with it.
    """
    plain = [_CHARGE.sub("", html.unescape(formula)).replace("_", "") for formula in formulas]
    elements = [frozenset(_ELEMENT.findall(formula)) for formula in plain]
    counts = Counter(element for found in elements for element in found)
    common = sorted(name for name, count in counts.items() if count >= COMMON * len(formulas))
    told = {name: [name in found for found in elements] for name in common}
    told |= {name: [name in formula for formula in plain] for name in GROUPS}
    told["oxide"] = ["O" in found and not found & ANIONS for found in elements]
    told["no oxygen"] = ["O" not in found for found in elements]
    return {name: np.array(column, np.float64) for name, column in told.items()}
