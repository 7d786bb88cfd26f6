"""README tables and the curve of `choose`, from `docs/results`: python scripts/readme_tables.py [--check]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
CURVE = ROOT / "training/lineshape_training/datasets/curve.json"
ALL_GROUPS = 67  # of the 84 patients, those on the fitting side of a fold
DIRECTIONS = {"raman-ir": "Raman to IR", "raman-xrd": "Raman to XRD"}
PROTOCOLS = ("random", "id", "mineral")
STEP_SETS = ("minerals", "saliva")
FAMILY_SETS = ("saliva", "minerals", "isolates")


def transfer_table() -> str:
    """Rows of `docs/results/transfer.json`: one for each direction and protocol, a column for each method."""
    results = msgspec.json.decode((ROOT / "docs/results/transfer.json").read_bytes())
    rows = [
        (f"{name}, {protocol}", results[direction][protocol])
        for direction, name in DIRECTIONS.items()
        for protocol in PROTOCOLS
        if protocol in results[direction]
    ]
    baselines = list(dict.fromkeys(baseline for _, found in rows for baseline in found["baselines"]))
    lines = [f"| held out | Lineshape | {' | '.join(baselines)} |", "|---" * (len(baselines) + 2) + "|"]
    for name, found in rows:
        beside = found["baselines"]
        cells = [_cell(found), *(_cell(beside[baseline]) if baseline in beside else "" for baseline in baselines)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def study_table() -> str:
    """Rows of `docs/results/saliva-covid.json`: what adding as many spectra again does, mean of the probes."""
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


def families_table() -> str:
    """Rows of `docs/results/families.json`: every method on every data set, in the row of real spectra the floors."""
    results = msgspec.json.decode((ROOT / "docs/results/families.json").read_bytes())
    head = "| | | TSTR | MMD, 1e-3 | C2ST | precision, recall | density, coverage | peaks off | distance | copies "
    lines = [f"{head}| ms | parameters | min |", "|---" * 13 + "|"]
    for data in FAMILY_SETS:
        for line in next(iter(results[data].values())):
            lines.append(f"| {data} | {line['method'].removeprefix(data + '-')} | {' | '.join(_family_cells(line))} |")
    return "\n".join(lines)


def _family_cells(line: dict[str, Any]) -> list[str]:
    if line["refused"]:
        return [line["refused"], *[""] * 10]
    found = line["metrics"]
    pairs = [f"{found[a]:.2f}, {found[b]:.2f}" for a, b in (("precision", "recall"), ("density", "coverage"))]
    drawn = line["minutes"] > 0
    return [
        _interval(line["tstr"], ".2f") if line["tstr"] else "no classes",
        f"{1000 * found['MMD']:.1f}",
        f"{found['two-sample AUC']:.2f}",
        *pairs,
        f"{found['peak position error']:.1f}" if "peak position error" in found else "",
        f"{found['distance ratio']:.2f}",
        f"{found['near copies']:.0%}",
        f"{line['milliseconds']:.1f}" if line["milliseconds"] else "",
        f"{line['parameters']:,}" if drawn else "",
        f"{line['minutes']:.1f}" if drawn else "",
    ]


def steps_table() -> str:
    """Rows of `docs/results/steps.json`: every way of drawing on every data set, above them the floor."""
    results = msgspec.json.decode((ROOT / "docs/results/steps.json").read_bytes())
    head = "| | | C2ST | over seeds | MMD, 1e-3 | chimeras | class agreement | distance | noise | ms | of 256 | min |"
    lines = [head, "|---" * 12 + "|"]
    for data in STEP_SETS:
        for line in next(iter(results[data].values()))["lines"]:
            lines.append(f"| {data} | {line['method']} | {' | '.join(_step_cells(line))} |")
    return "\n".join(lines)


def _step_cells(line: dict[str, Any]) -> list[str]:
    if line["refused"]:
        return [line["refused"], *[""] * 9]
    found, interval = line["figures"], line["intervals"]["two-sample AUC"]
    auc, mmd = found["two-sample AUC"], found["MMD"]
    rest = {"chimeras": ".0%", "class agreement": ".2f", "distance ratio": ".2f", "high-frequency power": ".2f"}
    return [
        f"{auc['mean']:.2f} ({interval['low']:.2f} to {interval['high']:.2f})",
        f"{auc['least']:.2f} to {auc['largest']:.2f}",
        f"{1000 * mmd['mean']:.1f}",
        *(f"{found[name]['mean']:{form}}" if name in found else "" for name, form in rest.items()),
        *(f"{line[name]:{form}}" if line["way"] else ""
          for name, form in (("alone", ".2f"), ("together", ".2f"), ("minutes", ".1f"))),
    ]  # fmt: skip


def analytes_table() -> str:
    """Rows of `docs/results/analytes.json`: what generated spectra of drawn amounts do to a calibration's error."""
    results = msgspec.json.decode((ROOT / "docs/results/analytes.json").read_bytes())
    lines = ["| | | RMSEP, real | real + 1,000 | change |", "|---" * 5 + "|"]
    for name, by_protocol in results.items():
        if name != "about":
            found = next(iter(by_protocol.values()))
            for probe, row in found["rmsep"].items():
                cells = [
                    _interval(row["real"], ".2f"),
                    _interval(row["added"], ".2f"),
                    _interval(row["change"], "+.2f"),
                ]
                lines.append(f"| {name.split('-')[0]}, {found['analyte']} | {probe} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(found: dict[str, Any], form: str = ".3f") -> str:
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def _cell(metrics: dict[str, Any]) -> str:
    mean = metrics["pearson_mean"]
    return f"{mean['value']:.2f} ({mean['low']:.2f} to {mean['high']:.2f})"


def curve() -> bytes:
    """The learning curve that `lineshape choose` goes by: the deciding arm at every number of groups."""
    few, whole = (_effects(f"saliva-covid{name}.json") for name in ("-curve", ""))
    points = [(int(effect["protocol"].split()[0]), effect) for effect in few]
    points += [(ALL_GROUPS, effect) for effect in whole if effect["method"] in {e["method"] for e in few}]
    rows = [
        {
            "method": effect["method"].removeprefix("saliva-"),
            "groups": groups,
            "gain": effect["gain"]["value"],
            "low": effect["gain"]["low"],
            "high": effect["gain"]["high"],
        }
        for groups, effect in points
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def _effects(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode((ROOT / "docs/results" / name).read_bytes())["study"]["found"][
        "effects"
    ]
    return found


TABLES = {
    "transfer": transfer_table,
    "study": study_table,
    "families": families_table,
    "steps": steps_table,
    "analytes": analytes_table,
}


def filled(readme: str) -> str:
    """The README with its tables as measured."""
    for name, table in TABLES.items():
        before, rest = readme.split(f"<!-- table:{name} -->\n")
        readme = f"{before}<!-- table:{name} -->\n{table()}\n{rest[rest.index('<!-- end -->') :]}"
    return readme


def main() -> int:
    """Write the README and the curve, or with --check tell whether they are as measured."""
    files = {ROOT / "README.md": filled((ROOT / "README.md").read_text()).encode(), CURVE: curve()}
    if "--check" in sys.argv:
        return int(any(not path.exists() or path.read_bytes() != content for path, content in files.items()))
    for path, content in files.items():
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
