"""The bench measures what it says, on folds that do not leak, and never serves yesterday's data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fits import short

from lineshape_training import transfer_bench
from lineshape_training.baselines import kernel_ridge, mean_spectrum, nearest_neighbour
from lineshape_training.loading import load_table
from lineshape_training.results import Interval, bootstrapped, record
from lineshape_training.spectra import PairTable


@pytest.fixture(scope="module")
def table() -> PairTable:
    table = load_table("embedded", short("raman-to-ir"))
    assert isinstance(table, PairTable)
    return table.rows(np.arange(0, 150, 3))  # two specimens of each mineral


def test_baselines_by_hand() -> None:
    known, targets = torch.eye(3, 5), torch.arange(12.0).reshape(3, 4)
    asked = 2 * known[[2, 0]] + 0.1
    assert torch.equal(nearest_neighbour(known, targets, asked), targets[[2, 0]])
    assert torch.equal(mean_spectrum(known, targets, asked), targets.mean(0).expand(2, 4))
    # Far from everything, a Gaussian kernel knows nothing: the mean.
    torch.testing.assert_close(kernel_ridge(known, targets, 100 + asked), targets.mean(0).expand(2, 4))


def test_what_a_protocol_keeps_together(table: PairTable) -> None:
    assert len(np.unique(transfer_bench.units(table, "random"))) == len(table)
    assert transfer_bench.units(table, "id").tolist() == table.source.identity.tolist()
    assert transfer_bench.units(table, "mineral").tolist() == table.group.tolist()


def test_the_bootstrap_draws_groups() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=50), 20)  # 50 groups of 20 equal values
    found = bootstrapped(values, np.repeat(np.arange(50), 20).astype(str), lambda x: float(x.mean()))
    # The mean of 50 independent values has a 95 % interval of 4 x .14; of 1000 it would be 4 x .03.
    assert found.high - found.low == pytest.approx(4 * values.std() / np.sqrt(50), rel=0.15)
    assert found.low < found.value < found.high


def test_results_keep_other_parts_and_say_where_each_came_from(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    record(path, "raman-ir", "random", {"pearson": Interval(0.5, 0.4, 0.6)})
    record(path, "raman-ir", "mineral", {"pearson": Interval(0.3, 0.2, 0.4)})
    record(path, "raman-ir", "random", {"pearson": Interval(0.6, 0.5, 0.7)})
    found = msgspec.json.decode(path.read_bytes())
    assert found["raman-ir"]["random"]["pearson"] == {"value": 0.6, "low": 0.5, "high": 0.7}
    assert found["raman-ir"]["mineral"]["pearson"]["value"] == 0.3
    assert set(found["about"]) == {"raman-ir random", "raman-ir mineral"}
    assert set(found["about"]["raman-ir random"]) == {"command", "machine", "revision", "date"}


def test_folds_are_kept_and_changed_data_is_measured_anew(
    table: PairTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_bench, "FOLDS", 2)
    plan = short("raman-to-ir", steps=2)
    first = transfer_bench.bench(plan, table, "mineral", tmp_path)
    made = sorted(tmp_path.rglob("scores-*.npz"))
    again = transfer_bench.bench(plan, table, "mineral", tmp_path)
    assert (again, sorted(tmp_path.rglob("scores-*.npz"))) == (first, made)
    noise = np.random.default_rng(0).random(table.target.values.shape).astype(np.float32)
    other = transfer_bench.bench(
        plan, PairTable(table.source, replace(table.target, values=noise)), "mineral", tmp_path
    )
    assert other["pearson_mean"] != first["pearson_mean"]
    assert abs(other["baselines"]["nearest neighbour"]["pearson_mean"].value) < 0.1  # noise cannot be looked up
    assert 0 <= first["coverage_by_mineral"].value <= 1
