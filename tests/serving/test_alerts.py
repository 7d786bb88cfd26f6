"""The example alert rules: they parse, and they speak of series that a server really has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lineshape_edge import Model
from lineshape_serving import DataPlane

RULES = yaml.safe_load((Path(__file__).parents[2] / "docs" / "alerts.yml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def exposed(transfer_bundle):
    """Every series and every label that a server with a transfer shows, after a request."""
    plane = DataPlane([Model.open(transfer_bundle)])
    plane.metrics.requests.labels("http", "200").inc()
    return plane.metrics.text().decode()


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_a_rule_speaks_of_series_labels_and_bounds_that_there_are(exposed, rule):
    names = re.findall(r"\blineshape_\w+", rule["expr"])
    assert names or rule["alert"] == "LineshapeDown"
    for name in names:
        assert re.search(rf"^{name}[{{ ]", exposed, re.MULTILINE), name
    for name, bound in re.findall(r'(lineshape_\w+)\{le="([^"]+)"\}', rule["expr"]):
        assert re.search(rf'^{name}{{[^}}]*le="{bound}"', exposed, re.MULTILINE), (name, bound)
    for stage in re.findall(r'stage="(\w+)"', rule["expr"]):
        assert f'stage="{stage}"' in exposed
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("page", "ticket")
