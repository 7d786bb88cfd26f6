"""Powder XRD sticks of the mineral library, computed from published crystal structures.

Needs, in an environment of its own (none of it is a dependency of the project):

    pip install pymatgen sqlalchemy xraydb
    pip install --no-deps larixite          # structures of the American Mineralogist database (AMCSD)
    apt install libavogadro-data            # structures of the Crystallography Open Database (COD)

Usage:

    python scripts/minerals/xrd_sticks.py --cod FOLDER -o sticks.json

where FOLDER is the `crystals` folder of libavogadro-data. `structures.toml` beside this file names the
structure of each mineral. Intensities are pymatgen's kinematic ones (structure factor, multiplicity,
Lorentz-polarisation), with isotropic displacement `B_ISO`, for Cu K-alpha 1, 1.5406 angstrom.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
import warnings
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymatgen.core import Structure  # type: ignore[import-not-found]

WAVELENGTH = 1.5406  # angstrom
TWO_THETA = (5.0, 90.0)  # degrees
WEAKEST = 0.01  # of the strongest line
MOST_LINES = 60
MERGE = 0.02  # degrees
B_ISO = 0.5  # square angstrom, a usual value for a mineral at room temperature; one for all atoms
SITE_TOLERANCE = 5e-3  # fractional; published coordinates such as .333 must still fall on their symmetry element

Floats = NDArray[np.float64]
Sticks = list[tuple[float, float]]


def structure_of(cif: str) -> Structure:
    """The pymatgen structure of a CIF text, in the published cell."""
    from pymatgen.io.cif import CifParser  # type: ignore[import-not-found]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sum formula often leaves out hydrogen; the sticks hardly see it
        # Site occupancies are published to two digits and may sum to 1.01; more than that is refused.
        parser = CifParser(StringIO(cif), occupancy_tolerance=1.02, site_tolerance=SITE_TOLERANCE)
        return parser.parse_structures(primitive=False)[0]


def sticks_of(structure: Structure) -> Sticks:
    """The strongest lines as (two-theta in degrees, height relative to the strongest)."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator  # type: ignore[import-not-found]

    b_factors = {str(element): B_ISO for element in structure.composition.elements}
    calculator = XRDCalculator(wavelength=WAVELENGTH, debye_waller_factors=b_factors)
    pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=TWO_THETA)
    two_theta, height = merged(np.asarray(pattern.x), np.asarray(pattern.y))
    return strongest(two_theta, height)


def merged(two_theta: Floats, height: Floats) -> tuple[Floats, Floats]:
    """Lines closer than `MERGE` become one, at their centre of mass."""
    group = np.concatenate([[0], np.cumsum(np.diff(two_theta) > MERGE)])
    total = np.asarray(np.bincount(group, height), float)
    return np.bincount(group, height * two_theta) / total, total


def strongest(two_theta: Floats, height: Floats) -> Sticks:
    """At most `MOST_LINES` lines of at least `WEAKEST`, by rising angle."""
    relative = height / height.max()
    kept = np.sort(np.argsort(-relative)[:MOST_LINES])
    return [(round(float(two_theta[i]), 3), round(float(relative[i]), 4)) for i in kept if relative[i] >= WEAKEST]


def from_file(path: Path) -> tuple[str, str]:
    """CIF text and citation of a file of libavogadro-data."""
    cif = path.read_text(encoding="utf-8", errors="replace")
    code = re.search(r"_(cod)_database_code\s+(\d+)|_database_code_(amcsd)\s+(\d+)", cif)
    if code is None:
        raise SystemExit(f"{path}: no COD or AMCSD number, so it cannot be cited")
    number = f"COD {code[2]}" if code[1] else f"AMCSD {code[4]}"
    return cif, f"{number}; {publication(cif)}"


def from_amcsd(number: int) -> tuple[str, str]:
    """CIF text and citation of an AMCSD entry, decoded by larixite."""
    from larixite.amcsd import get_cif  # type: ignore[import-not-found]

    cif = re.sub(r" %var\d%", "", get_cif(number).ciftext)  # larixite's mark for a second setting of a space group
    return cif, f"AMCSD {number:07d}; {publication(cif)}"


def publication(cif: str) -> str:
    """Authors, journal, volume, first page and year, as the CIF gives them."""
    block = re.search(r"_publ_author_name\s+((?:['\"].*['\"]\s+)+)", cif)
    authors = [_surname(name) for name in re.findall(r"['\"](.+)['\"]", block[1])] if block else []
    who = f"{authors[0]} et al." if len(authors) > 2 else " and ".join(authors)
    name, volume, page, year = (_field(cif, key) for key in ("name_full", "volume", "page_first", "year"))
    return " ".join(part for part in (who, name, volume, f"({year})" if year else "", page) if part)


def _surname(name: str) -> str:
    """`Dal Negro A` and `Will, G` without their initials."""
    return re.sub(r"(\s+[A-Z]{1,3}\.?)+$", "", name.split(",")[0])


def _field(cif: str, key: str) -> str:
    """A quoted, bare or multi-line value of the journal's."""
    value = r"[ \t]*\n;\s*(?P<block>.+?)\s*\n;|\s+'(?P<single>.+?)'\s*$|\s+\"(?P<double>.+?)\"\s*$|\s+(?P<bare>\S+)\s*$"
    found = re.search(rf"^_journal_{key}(?:{value})", cif, re.MULTILINE | re.DOTALL)
    return "" if found is None else " ".join(next(filter(None, found.groups())).split())


def main() -> None:
    """Compute the sticks of every structure that `structures.toml` names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=Path, default=Path(__file__).with_name("structures.toml"))
    parser.add_argument("--cod", type=Path, required=True, help="the crystals folder of libavogadro-data")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    table = {}
    for mineral, at in tomllib.loads(options.structures.read_text()).items():
        cif, citation = from_file(options.cod / at["cod"]) if "cod" in at else from_amcsd(at["amcsd"])
        table[mineral] = {"structure": citation, "xrd": sticks_of(structure_of(cif))}
        print(f"{mineral}: {len(table[mineral]['xrd'])} lines, {citation}", file=sys.stderr)
    options.output.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
