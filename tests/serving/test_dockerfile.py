"""What the images promise, read from the Dockerfile itself; scripts/container.sh builds and runs them."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
TARGETS = ["edge", "serving", "serving-gpu", "training"]
SERVICES = ["serving", "serving-gpu"]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@dataclass
class Stage:
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def read_stages(text):
    """Every stage by its name, and the ARGs that stand before the first."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages, before = {}, {}
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            base, _, name = rest.split()
            stages[name] = Stage(base)
        elif stages:
            list(stages.values())[-1].steps.append((word, rest))
        else:
            before |= [rest.split("=", 1)]
    return stages, before


STAGES, ARGUMENTS = read_stages(TEXT)


def steps(name):
    """What an image consists of: its base stages' steps, then its own; what it copies from elsewhere stays there."""
    return steps(STAGES[name].base) + STAGES[name].steps if name in STAGES else []


def last(name, word):
    return [rest for step, rest in steps(name) if step == word][-1]


def environment(name):
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(rest for word, rest in steps(name) if word == "ENV")))


def installed(extra):
    """The requirements of an extra, with those of the extras that it names."""
    for requirement in EXTRAS[extra]:
        ours = re.fullmatch(r"lineshape\[(.*)\]", requirement)
        yield from (name for part in ours[1].split(",") for name in installed(part)) if ours else [requirement]


def extras(name):
    """The extras that the packages copied into an image were installed with."""
    (source,) = [re.search(r"--from=(\S+)", rest)[1] for word, rest in steps(name) if word == "COPY"]
    (asked,) = re.findall(r"\.whl\)\[(.*?)\]", " ".join(rest for _, rest in STAGES[source].steps))
    return asked.split(",")


def test_the_targets_are_there_and_the_last_one_serves():
    assert set(TARGETS) <= STAGES.keys()
    assert list(STAGES)[-1] == "serving"  # what a build without --target gives


def test_every_image_stands_on_the_one_base_that_can_be_chosen():
    assert ARGUMENTS == {"BASE_IMAGE": "python:3.11-slim"}
    assert {stage.base for stage in STAGES.values()} - STAGES.keys() == {"${BASE_IMAGE}"}


def test_nothing_must_be_pulled_beside_the_base():
    assert not re.search(r"^#\s*syntax\s*=", TEXT, re.M | re.I)
    assert not re.search(r"https?://|--index-url|--find-links", TEXT)
    sources = re.findall(r"--from=(\S+)", TEXT)
    assert set(sources) <= STAGES.keys()


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user_and_is_the_command(target):
    user, group = last(target, "USER").split(":")  # numbers, so that a cluster can see that it is not root
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(last(target, "ENTRYPOINT")) == ["lineshape"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_no_compiler_and_no_installer(target):
    run = " ".join(rest for word, rest in steps(target) if word == "RUN")
    assert not re.search(r"\b(apt|apt-get|apk|dnf|pip|gcc|g\+\+|make|build-essential)\b", run)
    assert environment("packages")["PIP_ONLY_BINARY"] == ":all:"  # so that none is needed
    assert "--without-pip" in " ".join(rest for _, rest in STAGES["packages"].steps)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_quiet_and_writes_to_tmp_only(target):
    told = environment(target)
    assert told["ORT_DISABLE_TELEMETRY"] == "1"
    assert told["BENTOML_DO_NOT_TRACK"] == "true"  # BentoML does not hear 1
    assert {told[name].split("/")[1] for name in ("HOME", "BENTOML_HOME", "MPLCONFIGDIR")} == {"tmp"}


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_listens_where_it_says_and_is_asked_for_its_health_there(target):
    port, health = last(target, "EXPOSE"), last(target, "HEALTHCHECK")
    command = json.loads(last(target, "CMD"))
    assert command[:6] == ["serve", "/bundles", "--host", "0.0.0.0", "--port", port]
    assert ("cuda" in command) == (target == "serving-gpu")
    program = json.loads(health.partition("CMD")[2])
    assert (program[0], f"'127.0.0.1', {port}" in program[-1], "/v2/health/ready" in program[-1]) == (
        "python3",
        True,
        True,
    )
    compile(program[-1], "health", "exec")


def test_a_command_has_no_health():
    assert not any(word == "HEALTHCHECK" for name in ("edge", "training") for word, _ in steps(name))


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_one_onnxruntime(target):
    """The CPU's and the GPU's share a folder, and the later one wins."""
    names = {re.match(r"[\w-]+", requirement)[0] for extra in extras(target) for requirement in installed(extra)}
    wanted = "onnxruntime-gpu" if target == "serving-gpu" else "onnxruntime"
    assert names & {"onnxruntime", "onnxruntime-gpu"} == {wanted}


def test_training_can_export():
    assert extras("training") == ["all"]
    assert {"torch", "onnx"} <= {re.match(r"[\w-]+", requirement)[0] for requirement in installed("all")}


def test_a_build_sees_what_a_wheel_is_made_of_and_nothing_else():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    rooms = {package.split("/")[0] for package in packages}
    files = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == rooms | files
