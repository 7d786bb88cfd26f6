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


def study_table() -> str:
    """Rows of `docs/results/saliva-covid.json`: what adding as many spectra again does, by method, mean of the probes."""
    results = msgspec.json.decode((ROOT / "docs/results/saliva-covid.json").read_bytes())
    found = results["study"]["found"]
    rows = [
        row
        for row in found["rows"]
        if (row["protocol"], row["probe"]) == ("by group", "mean of probes")
        and row["arm"] in ("real only", "real + 1x", "synthetic only")
    ]
    lines = ["| fitted on | balanced accuracy | macro AUC | gain in balanced accuracy | |", "|---|---|---|---|---|"]
    verdicts = {(e["method"], e["arm"]): e["verdict"] for e in found["effects"] if e["protocol"] == "by group"}
    for row in rows:
        name = row["arm"] if row["method"] == "none" else f"{row['arm']}, {row['method']}"
        gain = row["gains"].get("balanced accuracy")
        cells = [_interval(row["scores"][score]) for score in ("balanced accuracy", "macro AUC")]
        added = _interval(gain, "+.3f") if gain else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {added} | {verdicts.get((row['method'], row['arm']), '')} |")
    return "\n".join(lines)


def _interval(found: dict[str, Any], form: str = ".3f") -> str:
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def _cell(metrics: dict[str, Any]) -> str:
    mean = metrics["pearson_mean"]
    return f"{mean['value']:.2f} ({mean['low']:.2f} to {mean['high']:.2f})"


TABLES = {"transfer": transfer_table, "study": study_table}


def filled(readme: str) -> str:
    """The README with its tables as measured."""
    for name, table in TABLES.items():
        text = f"<!-- table:{name} -->\n{table()}\n<!-- end -->"
        readme = re.sub(rf"<!-- table:{name} -->.*?<!-- end -->", lambda _, text=text: text, readme, flags=re.DOTALL)
    return readme


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
