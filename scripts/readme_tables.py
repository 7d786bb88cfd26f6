"""Tables of the README and of docs/transfer.md, and the curve of `choose`, from `docs/results`.

python scripts/readme_tables.py [--check]
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

ROOT = Path(__file__).parents[1]
CURVE = ROOT / "training/lineshape_training/datasets/curve.json"
ALL_GROUPS = 67  # of the 84 patients, those on the fitting side of a fold
DIRECTIONS = {
    "raman-ir": "Raman to IR",
    "raman-xrd": "Raman to XRD",
    "ir-raman": "IR to Raman",
    "xrd-raman": "XRD to Raman",
    "ir-xrd": "IR to XRD",
    "xrd-ir": "XRD to IR",
}
PROTOCOLS = ("random", "id", "mineral")
WHOLE = "all levers"
CLASSES = {"family": "chemical families", "material": "minerals"}
ARMS = ("measured", "generated", "both", "source")
STEP_SETS = ("minerals", "saliva")
FAMILY_SETS = ("saliva", "minerals", "isolates")


def transfer_table() -> str:
    """Rows of `docs/results/transfer.json`: one for each direction and protocol."""
    return _transfers("transfer.json", PROTOCOLS)


def directions_table() -> str:
    """Rows of `docs/results/transfer-directions.json`: the other directions, minerals held out."""
    return _transfers("transfer-directions.json", ("mineral",))


def _transfers(name: str, protocols: tuple[str, ...]) -> str:
    """Beside ours the best baseline, then what the intervals and familiarity are worth."""
    results = _results(name)
    head = "| held out | Lineshape | best baseline | gain | in the interval | AUC of familiarity | of the cosine "
    lines = [f"{head}| Pearson where familiar | where not |", "|---" * 9 + "|"]
    for direction, protocol in itertools.product(DIRECTIONS, protocols):
        if protocol in results.get(direction, {}):
            cells = _transfer_cells(results[direction][protocol])
            lines.append(f"| {DIRECTIONS[direction]}, {protocol} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _transfer_cells(found: dict[str, Any]) -> list[str]:
    best = found["best_baseline"]
    return [
        _interval(found["pearson_mean"], ".2f"),
        f"{best}: {_interval(found['baselines'][best]['pearson_mean'], '.2f')}",
        _interval(found["gain_over"][best], "+.3f"),
        f"{100 * found['coverage_by_mineral']['value']:.0f}%",
        *(_interval(found[f"{of}_auc"], ".2f") for of in ("familiarity", "cosine")),
        *(f"{found[f'pearson_{of}']['value']:.2f}" for of in ("familiar", "unfamiliar")),
    ]


def levers_table() -> str:
    """Rows of `docs/results/transfer-ablation.json`: what a transfer loses without each of its levers."""
    lines = ["| | | Pearson without it | gain of the lever |", "|---" * 4 + "|"]
    for direction, found in _results("transfer-ablation.json").items():
        for name, line in found.get("ablation", {}).items():
            gain = "" if name == WHOLE else _interval(line["gain"], "+.3f")
            cells = _interval(line["pearson_mean"]), gain
            lines.append(f"| {DIRECTIONS[direction]} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def classes_table() -> str:
    """Rows of `docs/results/transfer-studies.json`: what classifiers tell from measured and generated spectra."""
    lines = [f"| | | {' | '.join(ARMS)} |", "|---" * (2 + len(ARMS)) + "|"]
    for direction, by_protocol in _results("transfer-studies.json").items():
        for protocol, found in by_protocol.items() if direction in DIRECTIONS else ():
            for task, told in found["classification"].items():
                accuracy = {(row["classifier"], row["arm"]): _interval(row["accuracy"], ".2f") for row in told["rows"]}
                for classifier in dict.fromkeys(classifier for classifier, _ in accuracy):
                    cells = " | ".join(accuracy[classifier, arm] for arm in ARMS)
                    name = f"{DIRECTIONS[direction]}, {protocol} held out: {told['classes']} {CLASSES[task]}"
                    lines.append(f"| {name} | {classifier} | {cells} |")
    return "\n".join(lines)


def cost_table() -> str:
    """Rows of `docs/results/transfer-cost.json`: a transfer beside the network of SpectroGen's public code."""
    lines = ["| | parameters | MB | milliseconds | the paper's network takes, times as long |", "|---" * 5 + "|"]
    found: dict[str, Any] = _results("transfer-cost.json")["cost"]
    for name, one in found.items():
        spent, slower = _interval(one["milliseconds"], ".2f"), one["paper"]["times_slower"]
        longer = ", ".join(f"{_interval(slower[runtime], '.0f')} in {runtime}" for runtime in slower)
        lines.append(f"| `{name}` | {one['parameters']:,} | {one['edge_bytes'] / 1e6:.1f} | {spent} | {longer} |")
    paper = next(iter(found.values()))["paper"]
    spent = ", ".join(f"{_interval(one, '.0f')} in {runtime}" for runtime, one in paper["milliseconds"].items())
    lines.append(f"| the paper's network | {paper['parameters']:,} | {paper['bytes'] / 1e6:.0f} | {spent} | |")
    return "\n".join(lines)


def study_table() -> str:
    """Rows of `docs/results/saliva-covid.json`: what adding as many spectra again does, mean of the probes."""
    results = _results("saliva-covid.json")
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
    results = _results("families.json")
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
    results = _results("steps.json")
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
    results = _results("analytes.json")
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
    found: list[dict[str, Any]] = _results(name)["study"]["found"]["effects"]
    return found


def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((ROOT / "docs/results" / name).read_bytes())
    return found


FORMATS = ("eager", "ONNX", "noise ONNX", "TorchScript", "torch.export", "fp16", "int8")


HEADLINE = ("wgan-gp gpu", "wgan-gp", "vae", "bayesop-gan", "ddpm x1", "ddpm x10", "flow x1", "flow x4", "flow x10",
            "difframan x1", "raman-to-ir", "raman-to-xrd")  # fmt: skip


def export_table() -> str:
    """Some rows of `docs/results/export.json`: ONNX beside eager PyTorch."""
    lines = [
        "| | MB | nodes | export, s | deviation | ms, one: PyTorch | ONNX | of the reference | ms, 64: PyTorch | ONNX |"
    ]
    lines.append("|---" * 10 + "|")
    results = _results("export.json")["export"]
    for name in HEADLINE:
        found = results[name]["formats"]
        eager, onnx = found["eager"]["milliseconds"], found["ONNX"]["milliseconds"]
        cells = [f"{found['ONNX']['size'] / 1e6:.1f}", f"{found['ONNX']['nodes']}", f"{found['ONNX']['seconds']:.0f}",
                 f"{found['ONNX']['deviation']:.0e}", f"{eager['1']['value']:.2f}", f"{onnx['1']['value']:.2f}",
                 _interval(results[name]["of_reference"], ".2f"),
                 f"{eager['64']['value']:.0f}", f"{onnx['64']['value']:.0f}"]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def export_sizes_table() -> str:
    """Rows of `docs/results/export.json`: what each format takes on disk, and ONNX to write."""
    lines = [f"| | {' | '.join(FORMATS[1:])} | nodes | s |", "|---" * (len(FORMATS) + 2) + "|"]
    for name, line in _results("export.json").get("export", {}).items():
        found = line["formats"]
        nodes = ", ".join(str(found[of]["nodes"]) for of in ("ONNX", "noise ONNX") if of in found)
        sizes = [_size(found.get(of)) for of in FORMATS[1:]]
        lines.append(f"| {name} | {' | '.join(sizes)} | {nodes} | {found['ONNX']['seconds']:.0f} |")
    return "\n".join(lines)


def _size(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    told = f"{found['size'] / 1e6:.2f}"
    return f"({told})" if found.get("refused") else told


def export_deviations_table() -> str:
    """Rows of `docs/results/export.json`: how far each format is from PyTorch."""
    return _by_format(FORMATS[1:], lambda found: f"{found['deviation']:.0e}")


def export_milliseconds_table(batch: str) -> str:
    """Rows of `docs/results/export.json`: what a call takes, the median."""
    return _by_format(FORMATS, lambda found: f"{found['milliseconds'][batch]['value']:.2f}", ratio=batch == "1")


def _by_format(formats: tuple[str, ...], told: Callable[[dict[str, Any]], str], ratio: bool = False) -> str:
    head = f"| | {' | '.join(formats)} |{' of the reference |' if ratio else ''}"
    lines = [head, "|---" * (len(formats) + 1 + ratio) + "|"]
    for name, line in _results("export.json").get("export", {}).items():
        cells = [told(line["formats"][of]) if of in line["formats"] else "" for of in formats]
        cells += [_interval(line["of_reference"], ".2f")] if ratio else []
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


BATCH_SIZES = ("1", "16", "64")


def serve_latency_table() -> str:
    """Rows of `docs/results/serve.json`: milliseconds of a request by peer and batch."""
    found = _results("serve.json")["serve"]["latency"]["batch"]
    head = " | ".join(f"{share}, {size}" for share in ("p50", "p99") for size in BATCH_SIZES)
    lines = [f"| | {head} | above in-process, 1 | over in-process, 64 |", "|---" * 9 + "|"]
    for name in found["1"]:
        cells = [f"{found[size][name][share]['value']:.2f}" for share in ("p50", "p99") for size in BATCH_SIZES]
        cells += [_interval(found["1"][name]["above"], ".2f"), _interval(found["64"][name]["over"], ".2f")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def serve_table() -> str:
    """Rows of `docs/results/serve.json`: what was to be shown, and what was found."""
    found = _results("serve.json")["serve"]
    rows = [*_latency_rows(found["latency"]), *_batching_rows(found["batching"]), *_overload_rows(found["overload"]),
            *_life_rows(found), *_agreement_rows(found)]  # fmt: skip
    return "\n".join(["| | target | found |", "|---" * 3 + "|", *(f"| {' | '.join(row)} |" for row in rows)])


Row: TypeAlias = tuple[str, str, str]


def _latency_rows(found: dict[str, Any]) -> list[Row]:
    one, most = found["batch"]["1"], found["batch"]["64"]
    above = {name: f"{_interval(one[name]['above'], '.2f')} ms" for name in one}
    return [
        ("our application alone, one spectrum, above in-process", "1.0 ms", above["ASGI alone"]),
        ("the same request, over a real Triton's", "1", _interval(found["alone_over_triton"]["1"], ".2f")),
        ("inside BentoML, one spectrum, above in-process", "2.0 ms", above["BentoML"]),
        ("inside BentoML, 64 spectra, over in-process", "3", _interval(most["BentoML"]["over"], ".2f")),
        ("BentoML's own JSON arrays, 64 spectra, over ours", "at least 15", _interval(found["json_over_ours"], ".1f")),
        ("the same with the fastest JSON there is", "", _interval(found["fast_json_over_ours"], ".1f")),
    ]


def _batching_rows(found: dict[str, Any]) -> list[Row]:
    share = f"{_interval(found['of_in_process'], '.2f')} of {found['gain_in_process']:.2f}"
    what = f"batching on against off, {found['clients']} clients, as a share of the gain in-process"
    return [
        (what, "at least .6", share),
        ("p99 over p50 with batching", "5", f"{found['p99_over_p50']:.1f}"),
    ]


def _overload_rows(found: dict[str, Any]) -> list[Row]:
    memory = found["memory"]
    return [
        (f"goodput of {found['rate']:.0f} requests a second for {found['seconds']:.0f} s, of capacity", "at least .9",
         f"{found['of_capacity']:.2f}"),
        ("refusals within", "50 ms", f"{found['refused']['p50']:.1f} ms (p99 {found['refused']['p99']:.1f}, "
                                     f"largest {found['refused']['largest']:.1f})"),
        ("memory before and after", "flat", f"{memory['before']:.0f} and {memory['after']:.0f} MiB"),
        ("as fast as before after", "2 s", f"{found['recovery']:.1f} s"),
    ]  # fmt: skip


def _life_rows(found: dict[str, Any]) -> list[Row]:
    swap, kill = found["swap"], found["kill"]
    told = f"{kill['lost']} lost of {kill['in_flight']} in flight, {kill['wrong']} wrong answers"
    return [
        (f"{swap['times']} swaps under load, failed requests", "0", f"{swap['failed']} of {swap['requests']}"),
        (f"{kill['times']} kills under load, back within", "5 s", f"{kill['slowest']:.1f} s; {told}"),
    ]


def _agreement_rows(found: dict[str, Any]) -> list[Row]:
    loadgen, same = found["loadgen"], found["same"]
    verdict = f"{loadgen['result']}, p90 {loadgen['p90']:.2f} ms of {loadgen['queries']} queries"
    return [
        ("MLPerf loadgen, SingleStream", "valid", verdict),
        (f"{same['samples']} samples of a seed on every face", f"{same['allowed']:.1g}",
         f"{max(same['deviation'].values()):.1g}"),
    ]  # fmt: skip


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {
        "transfer": transfer_table,
        "study": study_table,
        "families": families_table,
        "steps": steps_table,
        "analytes": analytes_table,
        "export": export_table,
        "serve": serve_table,
    },
    "docs/operate.md": {
        "serve": serve_table,
        "serve-latency": serve_latency_table,
    },
    "docs/transfer.md": {
        "directions": directions_table,
        "levers": levers_table,
        "classes": classes_table,
        "cost": cost_table,
    },
    "docs/export.md": {
        "export-size": export_sizes_table,
        "export-deviation": export_deviations_table,
        "export-one": partial(export_milliseconds_table, "1"),
        "export-many": partial(export_milliseconds_table, "64"),
    },
}


def filled(page: str) -> bytes:
    """The page with its tables as measured."""
    text = (ROOT / page).read_text()
    for name, table in TABLES[page].items():
        before, rest = text.split(f"<!-- table:{name} -->\n")
        text = f"{before}<!-- table:{name} -->\n{table()}\n{rest[rest.index('<!-- end -->') :]}"
    return text.encode()


def main() -> int:
    """Write the pages and the curve, or with --check tell whether they are as measured."""
    files = {ROOT / page: filled(page) for page in TABLES} | {CURVE: curve()}
    if "--check" in sys.argv:
        return int(any(not path.exists() or path.read_bytes() != content for path, content in files.items()))
    for path, content in files.items():
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
