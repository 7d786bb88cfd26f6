"""The report: what it says, that it opens without a network, that data stay data, and how it looks in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import plotly.graph_objects as go
import pytest
from browser import Seen, look
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from lineshape_training.page import Markup, document, table
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study.study import Study, StudySpec
from lineshape_training.study.table import Outcome
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.judgement import Judgement, Reading, judge
from lineshape_training.validation.measures import FIGURES
from lineshape_training.validation.report import judgement_sections, write_report
from lineshape_training.validation.report.scene import POINTS, decimated, padded

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)> $1_{2$ & \"E. coli\""
ABOUT = {"command": "lineshape validate RUN --report DIR", "sha256": "ab" * 32, "seed": "0", "<b>": "</code><i>"}
PICTURES = {"spectra", "means", "peaks", "map", "suspects", "examples", "gains", "curve"}


def _named(table: SpectraTable) -> SpectraTable:
    """The first class gets a name that wants to be markup."""
    assert table.label is not None
    return replace(table, label=np.where(table.label == table.label[0], HOSTILE, table.label))


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    design = Design("raman", classes=2, subjects=8, replicates=3, effect=2.0, points=700)
    train, real, synthetic = (_named(simulate(design.another(seed)).table) for seed in range(3))
    train, real = (replace(one, group=np.char.add(side, one.group)) for one, side in ((train, "t"), (real, "r")))
    return Evidence(Side.synthetic(synthetic.values, synthetic.label), Side.of(real), Side.of(train), train.axis)


@pytest.fixture(scope="module")
def judgement(evidence: Evidence) -> Judgement:
    return judge(evidence)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A study of all protocols but one, with the two quickest probes; and a refusal with a hostile reason."""
    table = _named(simulate(Design("nir", classes=2, subjects=6, replicates=2, points=128)).table)
    protocols, probes = ("group", "spectrum", "imbalance", "curve"), ("PLS-DA", "logistic regression")
    spec = StudySpec(methods=("classical", "smote"), protocols=protocols, folds=2, probes=probes)
    found = Study(table, spec, tmp_path_factory.mktemp("cells")).run()
    return msgspec.structs.replace(found, refused={"by group, adasyn": f"too few spectra of class {HOSTILE}"})


@pytest.fixture(scope="module")
def report(
    evidence: Evidence, judgement: Judgement, outcome: Outcome, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("report") / "new"
    page = write_report(folder, f"Of {HOSTILE}", judgement=judgement, evidence=evidence, outcome=outcome, about=ABOUT)
    assert page == folder / "report.html"
    return page


class Elements(HTMLParser):
    """All elements of a page, its scripts, and the text that a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        self.text += "" if self._hidden else data


@pytest.fixture(scope="module")
def elements(report: Path) -> Elements:
    return Elements(report.read_text("utf-8"))


class TestContent:
    def test_the_verdict_comes_first_and_the_rest_in_its_order(self, elements: Elements) -> None:
        sections = ["Verdict", "Memorisation", "All figures", "Plausibility", "Pictures", "Study", "How it was made"]
        found = [attributes["id"] for tag, attributes in elements.tags if tag == "h2"]
        assert found == [name.lower().replace(" ", "-") for name in sections]
        links = [attributes["href"] for tag, attributes in elements.tags if tag == "a"]
        assert links[: len(found)] == [f"#{name}" for name in found]

    def test_each_method_is_judged_with_its_interval(self, elements: Elements, outcome: Outcome) -> None:
        assert "“real + 1x”" in elements.text
        for effect in (one for one in outcome.effects if one.protocol == "by group"):
            assert re.search(
                f"{effect.method} {effect.verdict}: balanced accuracy .* 95 % interval .* p = ", elements.text
            )

    def test_every_figure_is_there_with_its_meaning_or_a_reason(self, elements: Elements, judgement: Judgement) -> None:
        for name, figure in FIGURES.items():
            assert name in elements.text
            assert figure.about in elements.text or name not in judgement.metrics
        assert "PIKE MMD: measured for MALDI-TOF spectra only" in elements.text

    def test_the_study_is_there_with_what_was_refused(self, elements: Elements, outcome: Outcome) -> None:
        for row in outcome.rows:
            assert row.probe in elements.text
            assert row.arm in elements.text
        for words in ("Imbalance", "rare AUPRC", "138:1", "A split that ignores groups"):
            assert words in elements.text
        for what, why in outcome.refused.items():
            assert what in elements.text
            assert why in elements.text

    def test_a_failure_gives_its_reasons_before_the_warnings(self, judgement: Judgement) -> None:
        failed = msgspec.structs.replace(judgement, verdict="fail", reasons=("copies: <all>",), warnings=("noisy",))
        found = judgement_sections.verdict(failed)
        assert found.index("fail") < found.index("copies: &lt;all&gt;") < found.index("noisy")

    def test_marks_say_who_is_nearest_who_is_fooled_and_how_far_beyond_the_floor(self, judgement: Judgement) -> None:
        readings = {"precision": Reading(0.7, 0.9, 1.0, 0.2), "coverage": Reading(0.9, 0.8, None, 0.1),
                    "membership AUC": Reading(0.3, 0.5, 1.0, 0.6)}  # fmt: skip
        found = Elements(judgement_sections.all_figures(msgspec.structs.replace(judgement, metrics=readings)))
        assert re.search(r"0\.700\s*0\.900\s*1\.00 ◆ ⚠\s*0\.200\s*✗ 0\.200 farther", found.text)
        assert re.search(r"0\.900 ◆\s*0\.800\s*–\s*0\.100\s*✓ within the floor", found.text)
        # worse than guessing is no leak
        assert re.search(r"0\.300 ◆\s*0\.500 ◆\s*1\.00\s*0\.600\s*✓ within the floor", found.text)

    def test_json_holds_the_same_numbers(self, report: Path, judgement: Judgement, outcome: Outcome) -> None:
        found = json.loads((report.parent / "report.json").read_bytes())
        assert msgspec.convert(found["judgement"], Judgement) == judgement
        assert msgspec.convert(found["outcome"], Outcome) == outcome
        assert found["about"] == ABOUT

    def test_a_judgement_alone_and_a_study_alone(self, judgement: Judgement, outcome: Outcome, tmp_path: Path) -> None:
        alone = write_report(tmp_path / "j", "J", judgement=judgement, evidence=None, outcome=None, about={})
        assert "<script" not in alone.read_text("utf-8")
        assert not list(alone.parent.glob("*.png"))
        study = write_report(tmp_path / "s", "S", judgement=None, evidence=None, outcome=outcome, about={})
        assert {path.stem for path in study.parent.glob("*.png")} == {"gains", "curve"}
        assert "Memorisation" not in study.read_text("utf-8")

    def test_amounts_are_told_by_their_error(self, tmp_path: Path) -> None:
        table = simulate(Design("nir", classes=1, subjects=12, replicates=2, points=128, analytes=("glucose",))).table
        spec = StudySpec(methods=("classical",), folds=2, analyte="glucose")
        found = Study(table, spec, tmp_path / "cells").run()
        page = write_report(tmp_path / "r", "A", judgement=None, evidence=None, outcome=found, about={})
        text = Elements(page.read_text("utf-8")).text
        assert "RMSEP" in text
        assert "Gain in R2" in page.read_text("utf-8")
        assert "balanced accuracy" not in text


class TestSafety:
    def test_nothing_points_outside(self, elements: Elements) -> None:
        for tag, attributes in elements.tags:
            for name in ("src", "href", "srcset", "action", "data"):
                assert not re.match(r"\s*(https?:|//)", attributes.get(name) or ""), (tag, attributes)
        policy = next(a["content"] for _, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none'")
        assert "'unsafe-inline'; script-src 'sha256-" in policy

    def test_names_stay_names(self, report: Path, elements: Elements) -> None:
        assert HOSTILE in elements.text
        scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
        assert len(scripts) == 3  # the data, Plotly, and what draws
        assert not [tag for tag, _ in elements.tags if tag in ("img", "i", "b") and tag != "b"]
        data = re.search(r'id="figures">(.*?)</script>', report.read_text("utf-8"), re.DOTALL)
        assert data is not None
        assert "<" not in data[1]

    def test_it_stays_small(self, report: Path) -> None:
        assert report.stat().st_size < 8e6

    def test_a_page_escapes_all_but_markup(self) -> None:
        found = document("<t>", table(["<h>"], [["<a>", Markup("<em>b</em>")]]))
        assert "<title>&lt;t&gt;</title>" in found
        assert "&lt;h&gt;" in found
        assert "&lt;a&gt;" in found
        assert "<em>b</em>" in found


class TestPictures:
    def test_every_picture_is_a_file_too_and_shows_something(self, report: Path, elements: Elements) -> None:
        linked = {a["href"] for tag, a in elements.tags if tag == "a" and not (a["href"] or "").startswith("#")}
        assert linked == {f"{name}.png" for name in PICTURES}
        for name in PICTURES:
            picture = imread(report.parent / f"{name}.png")[..., :3]
            assert (picture < 0.9).any(axis=2).mean() > 0.005  # share of pixels that are not the white ground

    def test_every_panel_is_a_figure_that_plotly_knows(self, report: Path) -> None:
        text = re.search(r'id="figures">(.*?)</script>', report.read_text("utf-8"), re.DOTALL)
        assert text is not None
        figures = json.loads(re.sub(r'"@[\w/]+"', '"#123456"', text[1]))
        assert {name.split("-")[1] for name in figures} == PICTURES
        for figure in figures.values():
            go.Figure(**figure)  # raises for a property that does not exist

    @given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4 * POINTS))
    def test_thinning_keeps_the_extremes_where_they_are(self, values: list[float]) -> None:
        x, y = np.arange(len(values), dtype=float), np.array(values)
        thin_x, thin_y = decimated(x, y)
        assert len(thin_x) <= POINTS
        assert (np.diff(thin_x) >= 0).all()
        np.testing.assert_array_equal(thin_y, y[thin_x.astype(int)])
        assert (thin_y.min(), thin_y.max()) == (y.min(), y.max())

    def test_a_range_has_room_even_for_one_value(self) -> None:
        assert padded(np.array([2.0, np.nan])) == (1.5, 2.5)
        assert padded(np.array([0.0]), np.array([1.0])) == (-0.05, 1.05)


VIEWS = {"light": (1280, 13000, {}), "dark": (1280, 13000, {"dark": True}), "narrow": (420, 18500, {"inside": True})}
BUTTONS = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]  # none that sends data away


@pytest.fixture(scope="module", params=VIEWS)
def seen(request: pytest.FixtureRequest, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    width, height, how = VIEWS[request.param]
    found = look(report, tmp_path_factory.mktemp("browser"), width, height, **how)
    assert found.measured["width"] == width
    assert found.measured["height"] <= height  # all of it is in the picture
    assert (found.picture[0, 0].mean() < 0.3) == (request.param == "dark")
    return found


class TestInABrowser:
    def test_nothing_goes_wrong(self, seen: Seen) -> None:
        assert seen.measured["errors"] == []
        assert seen.measured["title"] == f"Of {HOSTILE}"
        assert seen.measured["images"] == 0

    def test_nothing_is_cut_or_laid_over_anything(self, seen: Seen) -> None:
        assert seen.measured["overflowing"] == []
        assert seen.measured["stacked"] == []
        for plot in seen.measured["plots"]:
            assert plot["cut"] == [], plot["id"]
            assert plot["overlaps"] == [], plot["id"]
            assert abs(plot["svg"] - plot["width"]) <= 1, plot["id"]

    def test_every_figure_is_drawn(self, seen: Seen) -> None:
        assert {plot["id"].split("-")[1] for plot in seen.measured["plots"]} == PICTURES
        for plot in seen.measured["plots"]:
            assert plot["traces"] == plot["asked"] > 0, plot["id"]
            assert plot["titled"] == 1, plot["id"]
            assert plot["ticks"] >= 2, plot["id"]
            assert plot["buttons"] == BUTTONS

    def test_the_picture_shows_every_figure(self, seen: Seen) -> None:
        for plot in seen.measured["plots"]:
            rows = slice(round(plot["top"]), round(plot["top"] + plot["height"]))
            columns = slice(round(plot["left"]), round(plot["left"] + plot["width"]))
            region = seen.picture[rows, columns]
            # at least the axes, and at least one colour that is not grey
            assert region.mean(axis=2).std() > 0.02, plot["id"]
            assert np.ptp(region, axis=2).max() > 0.2, plot["id"]

    def test_names_stay_names_inside_figures(self, seen: Seen) -> None:
        labels = [label for plot in seen.measured["plots"] for label in plot["labels"]]
        assert "Raman, cm⁻¹" in labels
        assert any(label.startswith("classical") for label in labels)
