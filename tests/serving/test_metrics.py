"""What Prometheus reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from lineshape_edge import Model
from lineshape_serving.metrics import Distribution, Metrics, drift


def spectra(n=4, points=1024, noise=0.01, scale=1.0):
    rng, x = np.random.default_rng(5), np.linspace(0, 1, points)
    lines = np.exp(-(((x - rng.random((n, 1))) / 0.02) ** 2)) + noise * rng.standard_normal((n, points))
    return (scale * lines).astype(np.float32)


@given(values=st.lists(st.floats(-1e6, 1e6), max_size=50), parts=st.integers(1, 5))
def test_a_distribution_counts_each_value_once_whatever_batches_they_come_in(values, parts):
    bounds = (-10.0, 0.0, 0.5, 1000.0)
    distribution = Distribution(bounds)
    for part in np.array_split(np.array(values), parts):
        distribution.add(part)
    buckets, total = distribution.told()
    assert [count for _, count in buckets] == [sum(v <= bound for v in values) for bound in (*bounds, np.inf)]
    assert buckets[-1][0] == "+Inf"
    assert total == pytest.approx(sum(values), rel=1e-9, abs=1e-6)


def test_an_instrument_that_grows_noisier_shows_and_one_that_only_sees_more_light_does_not():
    quiet, noisy, bright = spectra(noise=0.002), spectra(noise=0.02), spectra(noise=0.002, scale=1000)
    mask = np.ones_like(quiet)
    of = {name: drift(values, mask) for name, values in {"quiet": quiet, "noisy": noisy, "bright": bright}.items()}
    assert (of["noisy"]["input_roughness"] > 5 * of["quiet"]["input_roughness"]).all()
    np.testing.assert_allclose(of["bright"]["input_roughness"], of["quiet"]["input_roughness"], rtol=1e-3)
    gained = of["bright"]["input_log10_intensity"] - of["quiet"]["input_log10_intensity"]
    np.testing.assert_allclose(gained, 3, atol=1e-3)


def test_what_was_not_measured_does_not_count():
    whole, mask = spectra(), np.ones((4, 1024), np.float32)
    cut, cut_mask = whole.copy(), mask.copy()
    cut[:, 200:], cut_mask[:, 200:] = 0, 0
    first = drift(np.ascontiguousarray(whole[:, :200]), np.ascontiguousarray(mask[:, :200]))
    found = drift(cut, cut_mask)
    np.testing.assert_allclose(found["input_coverage"], 200 / 1024)
    for name in ("input_log10_intensity", "input_roughness"):
        np.testing.assert_allclose(found[name], first[name], rtol=1e-5)


@pytest.mark.parametrize("measured", [0, 1, 2, 64])
@pytest.mark.parametrize("extreme", [0.0, 1e9, -1e9, 1e-30])
def test_the_largest_and_flattest_spectra_that_a_bundle_takes_give_finite_numbers(extreme, measured):
    source = np.full((2, 64), extreme, np.float32)
    source[1, 3] = -extreme
    mask = np.ones_like(source)
    source[:, measured:], mask[:, measured:] = 0, 0
    for values in drift(source, mask).values():
        assert np.isfinite(values).all()


def test_series_of_a_model_that_went_go_and_those_of_its_namesake_stay(transfer_bundle):
    metrics, model = Metrics(), Model.open(transfer_bundle)
    name, inputs = model.manifest.name, model.bundle.golden("model")[0][0]
    with ThreadPoolExecutor(1) as threads:
        old, new = (metrics.of(name, model, threads) for _ in range(2))
        for one in (old, new):
            one.watch(inputs, model.run(inputs))
        metrics.forget(old)
        assert counted(metrics, "lineshape_familiarity_count", model=name) == len(inputs["source"])
        metrics.forget(new)
    assert f'model="{name}"' not in metrics.text().decode()


def counted(metrics, sample, **labels):
    families = text_string_to_metric_families(metrics.text().decode())
    series = [found for family in families for found in family.samples if found.name == sample]
    (value,) = [found.value for found in series if labels.items() <= found.labels.items()]
    return value


def test_what_is_put_aside_is_counted_when_there_is_enough_or_somebody_asks(transfer_bundle):
    metrics, model = Metrics(), Model.open(transfer_bundle)
    inputs = model.bundle.golden("model")[0][0]
    outputs, n = model.run(inputs), len(inputs["source"])
    with ThreadPoolExecutor(1) as threads:
        series = metrics.of(model.manifest.name, model, threads)
        for _ in range(200):
            series.watch(inputs, outputs)
    assert counted(metrics, "lineshape_input_coverage_count") == 200 * n
    assert counted(metrics, "lineshape_familiarity_count") == 200 * n
