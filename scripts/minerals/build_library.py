"""Merges the sticks and the fitted lines into the library that the package carries.

Needs the standard library only. Usage:

    python scripts/minerals/build_library.py --sticks sticks.json --lines lines.json -o library.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ABOUT = (
    "Lines of common minerals, from which spectra are simulated; a spectrum rendered from this file is simulated, "
    "never measured. XRD: sticks [two-theta in degrees for Cu K-alpha 1, 1.5406 angstrom; area], computed with "
    "pymatgen (kinematic intensities, one isotropic displacement) from the cited structure by "
    "scripts/minerals/xrd_sticks.py. Raman and IR: lines [position in cm-1, height, FWHM in cm-1, Lorentzian "
    "fraction], fitted to the cited measured spectrum by scripts/minerals/fit_lines.py; r2 is the share of that "
    "spectrum's variance about a straight baseline that the lines explain. A line below 150 cm-1 (Raman) or 400 "
    "cm-1 (IR) was fitted to its flank. Areas and heights are relative to the strongest line."
)
SOURCES = (
    "Crystal structures: Crystallography Open Database (COD), public domain, and American Mineralogist Crystal "
    "Structure Database (AMCSD; Downs and Hall-Wallace, American Mineralogist 88 (2003) 247), whose entries the COD "
    "republishes in the public domain. Measured spectra: RRUFF project (Lafuente et al., in Highlights in "
    "Mineralogical Crystallography (2015) 1). No spectrum and no structure of theirs stands in this file."
)


def mineral(name: str, lines: dict[str, Any], sticks: dict[str, Any]) -> dict[str, Any]:
    """One mineral of the library."""
    xrd = {"source": sticks["structure"], "lines": sticks["xrd"]}
    return {"name": name, "formula": lines["formula"], "raman": lines["raman"], "xrd": xrd} | (
        {"ir": lines["ir"]} if "ir" in lines else {}
    )


def main() -> None:
    """Write the library: a mineral a line, so that changes can be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--sticks", "--lines", "-o"):
        parser.add_argument(name, dest=name.strip("-"), type=Path, required=True)
    options = parser.parse_args()
    sticks, lines = json.loads(options.sticks.read_text()), json.loads(options.lines.read_text())
    rows = [json.dumps(mineral(name, lines[name], sticks[name]), ensure_ascii=False, separators=(",", ":"))
            for name in sorted(sticks.keys() & lines.keys())]  # fmt: skip
    head = f'{{"about":{json.dumps(ABOUT)},\n"sources":{json.dumps(SOURCES)},\n"minerals":[\n'
    options.o.write_text(head + ",\n".join(rows) + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
