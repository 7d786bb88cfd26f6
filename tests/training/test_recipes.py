"""Recipes: composed of a family and a data set, printed and read back as they were, refused with the field's name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import lineshape

from lineshape.bundle import AxisSpec
from lineshape.errors import LineshapeError, RecipeError, UsageError
from lineshape.preprocessing import Area, Baseline, Crop, Log1p, MinMax, SavitzkyGolay, SquareRoot
from lineshape_training import recipe, recipes
from lineshape_training.families import FAMILIES
from lineshape_training.preprocess import check_generated
from lineshape_training.recipe import DataSpec, FitSpec, Range, Recipe, SearchSpec

SIZES = ("cpu", "gpu")


# What is shipped ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_every_shipped_recipe_loads_and_names_a_family_whose_numbers_it_has(size: str) -> None:
    for name, plan in recipe.shipped(size).items():
        assert plan == recipe.load(name, size)
        assert plan.name == name
        FAMILIES[plan.family].config(plan)
        check_generated(plan.intensity_half.get("spectrum", ()), name)


def test_every_family_is_shipped_for_data_and_every_data_set_has_a_family() -> None:
    plans = recipe.shipped().values()
    assert {plan.family for plan in plans} == set(FAMILIES)
    folder = Path(recipes.__file__).parent / "data"
    for data in folder.glob("*.toml"):
        assert any(plan.name.startswith(f"{data.stem}-") for plan in plans), data.stem


def test_cpu_recipes_say_how_long_they_take_and_are_short_enough_for_two_cores() -> None:
    for plan in recipe.shipped().values():
        assert plan.minutes is not None, plan.name
        assert plan.axes["spectrum"].n <= 3500, plan.name


def test_the_gpu_size_changes_numbers_and_nothing_else() -> None:
    small, large = recipe.shipped("cpu"), recipe.shipped("gpu")
    assert large.keys() <= small.keys()
    for name, plan in large.items():
        same = msgspec.structs.replace(plan, model=small[name].model, fit=small[name].fit, minutes=small[name].minutes)
        assert same == small[name]
        assert plan.fit.steps > small[name].fit.steps


def test_all_of_them_are_read_in_no_time() -> None:
    recipes._read.cache_clear()
    started = time.process_time()
    found = recipe.shipped()
    # A file takes some .5 ms, a recipe .1 ms; twice as much for a slow machine.
    assert time.process_time() - started < 1e-3 * (20 + 2 * len(found))


# Composing ------------------------------------------------------------------------------------------------------------

DATA = """
about = "Spectra of salt"
[data]
spectrum = "raman"
[axes.spectrum]
modality = "raman"
unit = "cm-1"
first = 200.0
last = 1200.0
n = 101
order = "ascending"
"""
FAMILY = """
family = "vae"
about = "a small autoencoder"
[model]
latent = 4
channels = 8
[fit]
steps = 20
evaluate_every = 10
batch = 8
learning_rate = 1e-3
[on.salt-raman.model]
latent = 5
[on.salt-raman.fit]
batch = 6
[gpu.model]
channels = 64
[gpu.fit]
batch = 60
[gpu.minutes]
salt-raman = 3.0
[minutes]
salt-raman = 1.5
sugar = 2.5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of recipes of its own: two data sets, two families."""
    for part in ("data", "families"):
        (tmp_path / part).mkdir()
    (tmp_path / "data" / "salt-raman.toml").write_text(DATA)
    (tmp_path / "data" / "sugar.toml").write_text(DATA.replace("salt", "sugar"))
    (tmp_path / "families" / "small-vae.toml").write_text(FAMILY)
    (tmp_path / "families" / "vae.toml").write_text(FAMILY.split("[on")[0] + "[minutes]\nsugar = 1.0\n")
    monkeypatch.setattr(recipes, "_folder", lambda: tmp_path)
    yield from _uncached(tmp_path)


def _uncached(path: Path) -> Iterator[Path]:
    for cached in (recipes._read, recipes._stems):
        cached.cache_clear()
    yield path
    for cached in (recipes._read, recipes._stems):
        cached.cache_clear()


def test_a_recipe_is_named_after_its_data_and_its_family(folder: Path) -> None:
    assert list(recipe.shipped()) == ["salt-raman-small-vae", "sugar-small-vae", "sugar-vae"]
    assert list(recipe.shipped("gpu")) == ["salt-raman-small-vae", "sugar-small-vae"]
    assert recipe.load("sugar-vae").about == "Spectra of sugar, from a small autoencoder"


def test_numbers_of_the_data_stand_above_the_familys_and_those_of_the_size_above_both(folder: Path) -> None:
    def numbers(name: str, size: str) -> tuple[Any, ...]:
        plan = recipe.load(name, size)
        return plan.model["latent"], plan.model["channels"], plan.fit.batch, plan.fit.steps, plan.minutes

    assert numbers("sugar-small-vae", "cpu") == (4, 8, 8, 20, 2.5)
    assert numbers("salt-raman-small-vae", "cpu") == (5, 8, 6, 20, 1.5)
    assert numbers("salt-raman-small-vae", "gpu") == (5, 64, 60, 20, 3.0)
    assert numbers("sugar-small-vae", "gpu") == (4, 64, 60, 20, None)


def test_a_family_needs_nothing_but_its_file(folder: Path) -> None:
    text = FAMILY.replace("latent = 4", "latent = 9")
    (folder / "families" / "new.toml").write_text(text)
    assert recipe.load("sugar-new").model["latent"] == 9


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[gpu.fit]", "[gpu.fits]", r"recipes/families/small-vae\.toml: .*fits"),
        ("[on.salt-raman.fit]", "[on.salt.fit]", r"there is no recipes/data/salt\.toml"),
        ("sugar = 2.5", "pepper = 2.5", r"there is no recipes/data/pepper\.toml"),
        ("salt-raman = 1.5\n", "", r"says something of salt-raman, which \[minutes\] does not name"),
        ("batch = 8", "batch = 0", r"recipe sugar-small-vae: .*\$\.fit\.batch"),
        ("[model]", "[model", r"recipes/families/small-vae\.toml: "),
    ],
)
def test_a_wrong_file_is_named_and_spoils_no_other_recipe(folder: Path, old: str, new: str, why: str) -> None:
    assert old in FAMILY
    (folder / "families" / "small-vae.toml").write_text(FAMILY.replace(old, new, 1))
    with pytest.raises(RecipeError, match=why):
        recipe.load("sugar-small-vae")
    assert recipe.load("sugar-vae").model["latent"] == 4


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [
        ("saliva-va", "cpu", "is it .*saliva-vae"),
        ("no/such", "cpu", "`lineshape recipes` lists them"),
        ("../recipes/raman-vae", "cpu", "no recipe"),
        ("raman-to-ir", "gpu", "no GPU size"),
        ("mine.toml", "gpu", "a file has no sizes"),
        ("missing.toml", "cpu", "cannot be read"),
        ("raman-vae", "huge", "no size 'huge'; choose cpu or gpu"),
    ],
)
def test_what_is_not_shipped_is_said(name: str, size: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        recipe.load(name, size)


# Printing and reading -------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False)
value = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
steps = st.lists(st.sampled_from([MinMax(), Area(), SquareRoot(), Log1p(), SavitzkyGolay(7, 3)]), max_size=3).map(tuple)
axis_steps = st.lists(
    st.builds(Crop, number, number) | st.builds(Baseline, st.just("snip"), st.dictionaries(text, number, max_size=2)),
    max_size=2,
).map(tuple)
columns = st.lists(text, min_size=1, max_size=3).map(tuple)
data = st.builds(
    DataSpec, text, st.none(), text | columns, text, text, columns, number, class_size=st.integers(1, 20)
)  # fmt: skip
rates = st.floats(0, 1, exclude_max=True)
fits = st.builds(
    FitSpec, st.just(40), st.sampled_from([10, 20]), st.integers(1, 64), number, number, rates, st.integers(2, 9),
    st.integers(1, 9), st.sampled_from(["32-true", "bf16-mixed"]), st.tuples(rates, rates),
    st.none() | st.integers(1, 5),
)  # fmt: skip
ranges = st.builds(Range, st.floats(1, 10), st.floats(11, 20), st.booleans()) | st.just(Range(1, 5, whole=True))
searches = st.builds(
    SearchSpec, st.integers(1, 9), st.integers(1, 9), st.dictionaries(st.just("learning_rate"), ranges)
)
plans = st.builds(
    Recipe, name=st.just("mine"), family=text, about=text, minutes=st.none() | number, data=data,
    axes=st.just({"spectrum": AxisSpec("raman", "cm-1", 1.0, 2.0, 5, "ascending", laser_nm=532.0)}),
    axis_half=st.just({}) | st.fixed_dictionaries({"spectrum": axis_steps}),
    intensity_half=st.just({}) | st.fixed_dictionaries({"spectrum": steps}),
    model=st.dictionaries(text, value, max_size=4), fit=fits, search=st.none() | searches,
)  # fmt: skip


@given(plans)
def test_a_printed_recipe_is_read_back_as_it_was(plan: Recipe) -> None:
    assert recipe.parse(recipe.text(plan).encode(), "mine.toml") == plan


@pytest.mark.parametrize("size", SIZES)
def test_every_shipped_recipe_is_printed_and_read_back(size: str) -> None:
    for plan in recipe.shipped(size).values():
        assert recipe.parse(recipe.text(plan).encode(), "mine.toml") == plan


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("evaluate_every = 500", "evaluate_every = 300", "multiple of evaluate_every"),
        ("n = 1101", 'n = "many"', r"\$\.axes"),
        ('order = "ascending"', 'order = "descending"', "from 150 to 1250 is not descending"),
        ('name = "raman-vae"', 'name = "Raman VAE"', r"\$\.name"),
        ("[intensity_half]\nspectrum", "[intensity_half]\nspectrm", "preprocessing of 'spectrm'"),
        ("[axes.spectrum]", "[axes.spectra]", r"\[axes\] must name spectrum; got spectra"),
        ("[fit]", "[fit", "TOML|toml|Expected"),
        ("betas = [0.9, ", "betas = [1.5, ", r"\$\.fit\.betas"),
        ("[fit]", "[fit]\npatience = 0", r"\$\.fit\.patience"),
        ('group = "mineral"', "group = []", r"\$\.data\.group"),
        ('label = "mineral"', "", "class_size needs label"),
        ("class_size = 10", "class_size = 0", r"\$\.data\.class_size"),
    ],
)
def test_a_recipe_that_cannot_be_read_says_where(old: str, new: str, why: str) -> None:
    text = recipe.text(recipe.load("raman-vae")).replace("class_size = 1\n", "class_size = 10\n")
    assert old in text
    with pytest.raises(RecipeError, match=why):
        recipe.parse(text.replace(old, new, 1).encode(), "mine.toml")


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ("trials = 0\nsteps = 5\nparameters = {}", r"\$\.search\.trials"),
        ("trials = 5\nsteps = 5\nparameters = { latent = { low = 4, high = 4 } }", "low < high"),
        ("trials = 5\nsteps = 5\nparameters = { beta = { low = 0, high = 1, log = true } }", "low > 0 where log"),
        ("trials = 5\nsteps = 5\nparameters = { latent = { low = 4.5, high = 8, whole = true } }", "whole numbers"),
        ("trials = 5\nsteps = 5\nparameters = { latnt = { low = 4, high = 8 } }", r"'latnt', which is no number of"),
        ("trials = 5\nsteps = 5\nparameters = { batch = { low = 4, high = 8 } }", r"'batch', which is no number of"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: str, why: str) -> None:
    text = recipe.text(recipe.load("raman-vae"))
    with pytest.raises(RecipeError, match=why):
        recipe.parse(f"{text}\n[search]\n{search}\n".encode(), "mine.toml")
    sound = (
        "trials = 5\nsteps = 5\nparameters = { latent = { low = 4, high = 8 }, learning_rate = { low = 1, high = 2 } }"
    )
    assert recipe.parse(f"{text}\n[search]\n{sound}\n".encode(), "mine.toml").search is not None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_stands_in_a_file_is_a_recipe_or_an_error(content: bytes) -> None:
    try:
        recipe.parse(content, "mine.toml")
    except LineshapeError as refused:
        assert str(refused).startswith("mine.toml: ")  # noqa: PT017 - not every file is refused


# The command line -----------------------------------------------------------------------------------------------------


def test_the_list_is_aligned_and_complete() -> None:
    lines = lineshape("recipes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(recipe.shipped())
    assert len({line.index(recipe.load(line.split()[0]).about) for line in lines}) == 1
    listed = msgspec.json.decode(lineshape("recipes", "--json", "--size", "gpu").stdout, type=list[Recipe])
    assert listed == list(recipe.shipped("gpu").values())


def test_one_recipe_is_printed_to_be_edited(tmp_path: Path) -> None:
    printed = lineshape("recipes", "saliva-vae", "--size", "gpu").stdout
    (tmp_path / "mine.toml").write_text(printed)
    assert recipe.load(str(tmp_path / "mine.toml")) == recipe.load("saliva-vae", "gpu")
    assert msgspec.json.decode(lineshape("recipes", "saliva-vae", "--json").stdout, type=Recipe) == recipe.load(
        "saliva-vae"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("recipes", "raman-vea"), "is it raman-vae"),
        (("recipes", "--size", "large"), "no size 'large'"),
        (("fit", "mine.toml", "--size", "gpu", "--data", "x", "--out", "y"), "mine.toml: a file has no sizes"),
    ],
)
def test_a_wrong_name_or_size_ends_in_one_line(words: tuple[str, ...], why: str) -> None:
    done = lineshape(*words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert why in done.stderr
