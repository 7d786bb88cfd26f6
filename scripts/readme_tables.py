"""Write the README's tables from `docs/results`: python scripts/readme_tables.py [--check]."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
DIRECTIONS = {"raman-ir": "Raman to IR", "raman-xrd": "Raman to XRD"}
PROTOCOLS = ("random", "id", "mineral")


def transfer_table() -> str:
    """Rows of `docs/results/transfer.json`: one for each direction and protocol, a column for each method."""
    results = msgspec.json.decode((ROOT / "docs/results/transfer.json").read_bytes())
    rows = [
        (f"{name}, {protocol}", results[direction][protocol])
        for direction, name in DIRECTIONS.items()
        for protocol in PROTOCOLS
        if protocol in results[direction]
    ]
    baselines = list(rows[0][1]["baselines"])
    lines = [f"| held out | Lineshape | {' | '.join(baselines)} |", "|---" * (len(baselines) + 2) + "|"]
    for name, found in rows:
        cells = [_cell(found), *(_cell(found["baselines"][baseline]) for baseline in baselines)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(metrics: dict[str, Any]) -> str:
    mean = metrics["pearson_mean"]
    return f"{mean['value']:.2f} ({mean['low']:.2f} to {mean['high']:.2f})"


def filled(readme: str) -> str:
    """The README with its tables as measured."""
    table = f"<!-- table:transfer -->\n{transfer_table()}\n<!-- end -->"
    return re.sub(r"<!-- table:transfer -->.*?<!-- end -->", lambda _: table, readme, flags=re.DOTALL)


def main() -> int:
    """Write the README, or with --check tell whether it is as measured."""
    path = ROOT / "README.md"
    readme = path.read_text()
    if "--check" in sys.argv:
        return int(filled(readme) != readme)
    path.write_text(filled(readme))
    return 0


if __name__ == "__main__":
    sys.exit(main())
