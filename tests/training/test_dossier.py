"""The record for regulators: it states what the run holds, leaves the rest blank, and claims nothing."""

from __future__ import annotations

import json
import re
import shutil
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fits import short
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from lineshape.errors import DataError, UsageError
from lineshape_training import fitting, loading
from lineshape_training.dossier import write_dossier
from lineshape_training.dossier.blocks import clean
from lineshape_training.dossier.commands import dossier as verb
from lineshape_training.dossier.documents import DISCLAIMER
from lineshape_training.dossier.markdown import escaped
from lineshape_training.minerals import mineral_spectra
from lineshape_training.run import Run
from lineshape_training.simulation import Design, simulate
from lineshape_training.splits import hold_out
from lineshape_training.study import Study, StudySpec
from lineshape_training.validation.generator import open_generator, validated
from lineshape_training.validation.record import Record

FILES = ("dossier.md", "dossier.html", "dossier.json")
HOSTILE = "a|b\n# <script>alert(1)</script> [x](http://e.vil) `c` **d** \u202e![e](www.e.vil) \\| [TO FILL IN 99: f]"
CLAIMS = r"\b(compl(y|ies|iant)|conform(s|ant|ity)?|approv(ed|al)|clear(ed|ance)|certified|guarantees?)\b"
FOUR_DIGITS = 5e-4  # figures are shown with four significant digits: half a unit of the last, relative to 1.000


@pytest.fixture(scope="module")
def validated_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A fit on a file with a quarter of its groups held out, validated on them."""
    folder = tmp_path_factory.mktemp("validated")
    spectra, data = mineral_spectra("raman", 2, 3), folder / "mine.npz"
    np.savez(
        data, raman=spectra.values, raman_axis=spectra.axis.values, mineral=spectra.group, rruff_id=spectra.identity
    )
    plan = short("raman-vae")
    table = loading.load_table(str(data), plan)
    known = table.rows(hold_out(table.group, None, 0.25, 0)[0])
    run = fitting.fit(plan, known, folder / "run", data=data.name, data_sha256=loading.fingerprint(str(data)))
    record = Record().judged(validated(open_generator(run.folder), str(data), 30, 0)).about({"data": str(data)})
    record.keep(run.folder)
    return run


@pytest.fixture(scope="module")
def studied_run(validated_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run with a study in the place of the verdict."""
    folder = tmp_path_factory.mktemp("studied")
    table = simulate(Design("nir", classes=2, subjects=6, replicates=2, points=64)).table
    spec = StudySpec(methods=("smote",), folds=2, probes=("logistic regression",))  # the quickest
    outcome = Study(table, spec, folder / "cells").run()
    shutil.copytree(validated_run.folder, folder / "run")
    Record().studied(spec, outcome).about({"data": "embedded"}).keep(folder / "run")
    return Run(folder / "run")


def altered(run: Run, out: Path, file: str, **changes: Any) -> Run:
    """A copy of a run with other words in one of its files."""
    shutil.copytree(run.folder, out)
    content = json.loads((out / file).read_text())
    (out / file).write_text(json.dumps(content | changes))
    return Run(out)


def dossier(run: Run, out: Path) -> tuple[str, str, dict[str, Any]]:
    """Markdown, HTML and data of a run's dossier."""
    write_dossier(run, out)
    text, page, data = ((out / name).read_text() for name in FILES)
    return text, page, json.loads(data)


def tables(text: str) -> list[list[list[str]]]:
    """Every table of the Markdown, its head first, as a reader sees its cells."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[_cells(line) for line in lines.splitlines() if not line.startswith("| ---")] for lines in found]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
    return [re.sub(r"\\(.)", r"\1", cell) for cell in cells]


def rows(text: str, *head: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins like this, by their first cell."""
    (table,) = [one for one in tables(text) if one[0][: len(head)] == list(head)]
    return {row[0]: row[1:] for row in table[1:]}


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, list):
        value = {str(number): one for number, one in enumerate(value, 1)}
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: leaf for one, inner in value.items() for key, leaf in leaves(inner, f"{name}.{one}".strip(".")).items()
    }


class Elements(HTMLParser):
    """The names of all elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"href", "src", "onclick", "onload"}


@pytest.mark.parametrize("name", ["validated_run", "sample_run", "transfer_run"])
def test_every_setting_of_the_recipe_stands_there_digit_for_digit(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: Run = request.getfixturevalue(name)
    text, _, data = dossier(run, tmp_path)
    spec = json.loads((run.folder / "run.json").read_text())
    shown = {key: cells[0] for key, cells in rows(text, "setting", "value").items()}
    assert shown == {key: "–" if value is None else str(value) for key, value in leaves(spec["recipe"]).items()}
    assert data["facts"]["run"] == spec
    assert data["facts"]["fitted"] == json.loads((run.folder / "fitted.json").read_text())


def test_what_the_fit_found_stands_there(validated_run: Run, tmp_path: Path) -> None:
    text, _, _ = dossier(validated_run, tmp_path)
    fitted, method = validated_run.fitted, _first(text, "recipe")
    assert method["parameters"] == str(fitted.parameters)
    assert method["steps"].startswith(f"{fitted.steps},")
    assert method["hardware"] == fitted.hardware
    assert float(method["seconds"]) == pytest.approx(fitted.seconds, rel=FOUR_DIGITS)
    assert {name: cells[0] for name, cells in rows(text, "package", "version").items()} == fitted.versions
    scores = rows(text, "fold of groups held out")
    assert [float(cells[0]) for cells in scores.values()] == pytest.approx(fitted.held_out, rel=FOUR_DIGITS)


def _first(text: str, key: str) -> dict[str, str]:
    """The table of two columns that has a row of that name."""
    (found,) = [one for one in tables(text) if one[0] == ["what", "value"] and key in {row[0] for row in one}]
    return {row[0]: row[1] for row in found[1:]}


def test_every_hash_stands_there(validated_run: Run, tmp_path: Path) -> None:
    text, page, data = dossier(validated_run, tmp_path)
    for file in ("run.json", "fitted.json", "weights.safetensors", "validation.json"):
        digest = sha256((validated_run.folder / file).read_bytes()).hexdigest()
        assert rows(text, "file", "sha256")[file] == [digest]
        assert data["facts"]["files"][file] == digest
    spec = validated_run.spec
    for digest in (spec.data_sha256, *spec.group_sha256):
        assert digest in text
        assert digest in page
    lineage = _first(text, "data file of the fit")
    assert lineage["its sha256"] == spec.data_sha256
    assert (lineage["spectra fitted"], lineage["independent groups fitted"]) == (str(spec.spectra), str(spec.groups))
    assert lineage["group hashes recorded"].startswith(str(len(spec.group_sha256)))


def test_every_figure_of_the_validation_stands_there(validated_run: Run, tmp_path: Path) -> None:
    text, page, data = dossier(validated_run, tmp_path)
    found = json.loads((validated_run.folder / "validation.json").read_text())
    assert data["facts"]["validation"] == found
    shown = {row[0]: row[3:] for one in tables(text) if one[0][0] == "figure" for row in one[1:]}
    assert shown.keys() == found["metrics"].keys()
    for name, reading in found["metrics"].items():
        for cell, value in zip(shown[name], reading.values(), strict=True):
            assert (cell == "–") == (value is None)
            assert value is None or float(cell) == pytest.approx(value, rel=FOUR_DIGITS)
    counts = rows(text, "spectra and groups of the validation")
    assert {name: int(cells[0]) for name, cells in counts.items()} == found["counts"]
    lineage = _first(text, "data file of the fit")
    assert {name: lineage[f"validation: {name}"] for name in found["about"]} == found["about"]
    assert "A distance is no proof of privacy" in text
    assert "A distance is no proof of privacy" in page


def test_a_failed_verdict_is_shown_first_with_its_reasons(validated_run: Run, tmp_path: Path) -> None:
    failed = altered(validated_run, tmp_path / "run", "validation.json", verdict="fail", reasons=["copies: too near"])
    text, page, data = dossier(failed, tmp_path / "out")
    assert text.splitlines()[2] == "> **VERDICT: FAIL. The synthetic spectra failed validation.**"
    assert text.splitlines()[4] == "- copies: too near"
    assert page.index("VERDICT: FAIL") < page.index("claims no compliance")
    assert data["verdict"] == "fail"


def test_a_pass_is_called_no_more_than_that(validated_run: Run, tmp_path: Path) -> None:
    passed = altered(validated_run, tmp_path / "run", "validation.json", verdict="pass", reasons=[])
    text, _, data = dossier(passed, tmp_path / "out")
    assert text.splitlines()[2] == "> **Verdict: pass.**"
    assert "FAIL" not in text
    assert data["verdict"] == "pass"


@pytest.mark.parametrize("name", ["sample_run", "transfer_run"])
def test_a_run_that_was_not_validated_says_so_first(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: Run = request.getfixturevalue(name)
    text, _, data = dossier(run, tmp_path)
    assert text.splitlines()[2].startswith("> **NOT VALIDATED.")
    assert data["verdict"] == "not validated"
    assert data["facts"]["validation"] is None
    assert "Not measured: whether predictions on real spectra profit" in text
    measured_by = f"    lineshape validate {run.folder}" if name == "sample_run" else "    lineshape bench transfer"
    assert measured_by in text


def test_simulated_spectra_are_called_so(sample_run: Run, tmp_path: Path) -> None:
    text, _, _ = dossier(sample_run, tmp_path)
    assert "simulated spectra" in text
    assert _first(text, "data file of the fit")["its sha256"].startswith("none: the simulated mineral library")


def test_a_validation_by_another_file_is_pointed_out(validated_run: Run, tmp_path: Path) -> None:
    other = altered(
        validated_run, tmp_path / "run", "validation.json", about={"data": "b.npz", "data sha256": "0" * 64}
    )
    assert "read another file than the fit" in dossier(other, tmp_path / "out")[0]
    assert "read another file than the fit" not in dossier(validated_run, tmp_path / "same")[0]


def test_the_study_stands_there_with_its_effects(studied_run: Run, tmp_path: Path) -> None:
    text, _, data = dossier(studied_run, tmp_path)
    study = data["facts"]["validation"]["study"]["found"]
    (effect,) = study["effects"]
    gain = effect["gain"]
    cells = rows(text, "protocol", "method", "arm", "score", "gain over real spectra alone (95 % interval)")[
        effect["protocol"]
    ]
    assert cells[:3] == [effect["method"], effect["arm"], effect["score"]]
    numbers = [float(number) for number in re.findall(r"-?\d[\d.e+-]*", cells[3])]
    assert numbers == pytest.approx([gain["value"], gain["low"], gain["high"]], rel=FOUR_DIGITS)
    assert cells[-1] == effect["verdict"]
    (scores,) = [one[1:] for one in tables(text) if one[0][-2:] == ["gain over real spectra alone", "p"]]
    means = [row for row in study["rows"] if row["probe"] == "mean of probes"]
    assert len(scores) == sum(len(row["scores"]) for row in means)
    assert "NOT VALIDATED" in text  # a study is no verdict


@pytest.mark.parametrize("name", ["validated_run", "sample_run", "transfer_run", "studied_run"])
def test_blanks_are_numbered_and_listed(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    text, page, data = dossier(request.getfixturevalue(name), tmp_path)
    blanks = re.findall(r"^\*\*\[TO FILL IN (\d+): (.*)\]\*\*$", text, re.MULTILINE)
    assert [int(number) for number, _ in blanks] == list(range(1, len(blanks) + 1))
    listed = rows(text, "blank", "section")
    assert {number: cells[1] for number, cells in listed.items()} == {n: re.sub(r"\\(.)", r"\1", a) for n, a in blanks}
    assert [one["answer"] for one in data["blanks"]] == [None] * len(blanks)
    assert [str(one["number"]) for one in data["blanks"]] == list(listed)
    assert page.count("[TO FILL IN ") == text.count("[TO FILL IN ") == len(blanks)
    titles = re.findall(r"^## (\d+\. .*)$", text, re.MULTILINE)
    assert text.rstrip().endswith("|")  # the list of blanks ends the dossier
    assert {cells[0] for cells in listed.values()} <= set(titles)
    assert [f"{one['number']}. {one['title']}" for one in data["sections"]] == titles


def test_each_topic_that_is_asked_about_has_its_section(validated_run: Run, tmp_path: Path) -> None:
    _, _, data = dossier(validated_run, tmp_path)
    asked = {one["title"]: " ".join(one["asked about in"]) for one in data["sections"]}
    places = {
        "Why synthetic data": ("section VIII", "Article 10(2)(a)"),
        "Which component is trained on it": ("section IX", "Annex IV"),
        "How the data were generated": ("section VIII", "Article 10(2)(c)"),
        "Data lineage": ("section VIII", "Article 10(2)(b)"),
        "Representativeness, bias and gaps": ("section VIII", "Article 10(2)(d), (f), (g) and (h)"),
        "Fit-for-purpose evidence": ("section VIII", "Article 10(3)"),
        "Effect on real-world predictions": ("section X.A", "Annex IV"),
        "Monitoring plan": ("section XI", "Article 72"),
        "Human oversight and responsibilities": ("section VII", "Article 14"),
    }
    for title, (draft, act) in places.items():
        assert draft in asked[title]
        assert act in asked[title]


@pytest.mark.parametrize("name", ["validated_run", "sample_run", "transfer_run", "studied_run"])
def test_nothing_is_claimed_outside_the_disclaimer(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    contents = dossier(request.getfixturevalue(name), tmp_path)
    assert contents[0].index(DISCLAIMER) < contents[0].index("\n## 1.")
    for content in (*contents[:2], json.dumps(contents[2])):
        assert content.count(DISCLAIMER) == 1
        assert not re.search(CLAIMS, content.replace(DISCLAIMER, ""), re.IGNORECASE)
        assert "draft guidance of January 7, 2025" in content


@pytest.mark.parametrize("name", FILES)
def test_a_dossier_is_never_overwritten(name: str, sample_run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("filled in by hand")
    with pytest.raises(UsageError, match=f"{name}: already there"):
        write_dossier(sample_run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "filled in by hand"


def test_hostile_names_stay_text(validated_run: Run, tmp_path: Path) -> None:
    spec = json.loads((validated_run.folder / "run.json").read_text())
    recipe = spec["recipe"] | {"about": HOSTILE, "data": spec["recipe"]["data"] | {"label": HOSTILE}}
    run = altered(validated_run, tmp_path / "a", "run.json", data=HOSTILE, recipe=recipe)
    about = {"data": HOSTILE, HOSTILE: "x"}
    run = altered(
        run, tmp_path / "b", "validation.json", verdict="fail", reasons=[HOSTILE], missing=[HOSTILE], about=about
    )
    text, page, data = dossier(run, tmp_path / "out")
    assert data["facts"]["run"]["data"] == HOSTILE
    (code,) = re.findall(r"^    (.*)$", text, re.MULTILINE)  # to be copied into a shell
    assert code == f"lineshape validate {run.folder} --data FILE --study"
    assert "<script" not in text
    assert "\u202e" not in text + page
    assert unescape(_first(text, "data file of the fit")["data file of the fit"]) == clean(HOSTILE)
    assert all(len(row) == len(one[0]) for one in tables(text) for row in one)
    assert Elements(page).tags & {"script", "a", "img", "iframe"} == set()
    assert re.findall(r"^#+ .*alert", text, re.MULTILINE) == []
    assert not re.search(r"(?<!\\)\[TO FILL IN 99", text)
    clean_text, _, _ = dossier(validated_run, tmp_path / "plain")
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == re.findall(r"^#+ .*$", clean_text, re.MULTILINE)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("|\\`*_[]()<>!#~&@$:/.w -+1\n\r\t", max_size=40))
def test_markdown_shows_escaped_text_as_it_is(text: str) -> None:
    """Read by a CommonMark reader, a table's cell is that text, and nothing in it is markup."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    tokens = reader.parse(f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n")
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    assert {child.type for child in cells[0].children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[0].children or ()) == clean(text)


def test_an_unreadable_validation_is_named(validated_run: Run, tmp_path: Path) -> None:
    broken = altered(validated_run, tmp_path / "run", "validation.json", verdict="perhaps")
    with pytest.raises(DataError, match=r"validation\.json"):
        write_dossier(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_fit_that_has_not_ended_has_no_dossier(sample_run: Run, tmp_path: Path) -> None:
    shutil.copytree(sample_run.folder, tmp_path / "run")
    (tmp_path / "run" / "fitted.json").unlink()
    with pytest.raises(DataError, match="has not ended"):
        write_dossier(Run(tmp_path / "run"), tmp_path / "out")
    with pytest.raises(DataError, match="lineshape fit"):
        write_dossier(Run(tmp_path / "nothing"), tmp_path / "out")


def test_the_verb_says_what_is_left_to_do(sample_run: Run, tmp_path: Path) -> None:
    (point,) = entry_points(group="lineshape.commands", name="dossier")
    assert point.load() is verb
    application = Typer()
    application.command()(verb)
    done = CliRunner().invoke(application, [str(sample_run.folder), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    blanks = len(json.loads((tmp_path / "out" / "dossier.json").read_text())["blanks"])
    assert f"not validated, {blanks} blanks to fill in" in done.output
