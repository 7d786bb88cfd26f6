"""The bench of transfer measures what it says, on folds that do not leak, and never serves yesterday's data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fits import short
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from lineshape.errors import UsageError
from lineshape.results import Interval, bootstrapped, record
from lineshape_training.commands import bench as command
from lineshape_training.conformal import interval_score
from lineshape_training.loading import load_table
from lineshape_training.recipe import Recipe, text
from lineshape_training.spectra import PairTable
from lineshape_training.transfer import ablation, baselines, bench, cells, pictures, protocols, trust
from lineshape_training.transfer.cells import Answers
from lineshape_training.transfer.metrics import CLEAREST, Measured, angles, correlation, place, ssim
from lineshape_training.validation.metrics.angles import sam

FOLDS = 2


@pytest.fixture(scope="module")
def plan() -> Recipe:
    return short("raman-to-ir", steps=2)


@pytest.fixture(scope="module")
def table(plan: Recipe) -> PairTable:
    table = load_table("embedded", plan)
    assert isinstance(table, PairTable)
    return table.rows(np.arange(0, 150, 3))  # two specimens of each mineral


@pytest.fixture(scope="module")
def measured(plan: Recipe, table: PairTable) -> Measured:
    return Measured.of(cells.truth(plan, table), table)


@pytest.fixture(scope="module")
def answers(plan: Recipe, table: PairTable, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return cells.answers(plan, table, "mineral", 0, tmp_path_factory.mktemp("work"), number=FOLDS)


def test_what_a_protocol_keeps_together(table: PairTable) -> None:
    assert len(np.unique(protocols.units(table, "random"))) == len(table)
    # Every pair of this table is a specimen of its own, so that the two protocols split alike; not where one has two.
    assert protocols.units(table, "id").tolist() == protocols.units(table, "random").tolist()
    twice = table.rows(np.array([0, 1, 1, 2]))
    assert protocols.units(twice, "id").tolist() == twice.source.identity.tolist()
    assert protocols.units(table, "mineral").tolist() == table.group.tolist()


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS)
def test_every_pair_is_held_out_once_and_every_repeat_splits_anew(
    table: PairTable, protocol: protocols.Protocol
) -> None:
    first, second = (protocols.folds(table, protocol, repeat) for repeat in (0, 1))
    assert np.sort(np.concatenate([held for _, held in first])).tolist() == list(range(len(table)))
    assert [held.tolist() for _, held in first] != [held.tolist() for _, held in second]
    if protocol == "mineral":
        assert not any(set(table.group[known]) & set(table.group[held]) for known, held in first)


def test_baselines_by_hand() -> None:
    known, targets = np.eye(3, 5), np.arange(12.0).reshape(3, 4)
    asked = 2 * known[[2, 0]] + 0.1
    assert np.array_equal(baselines.nearest_neighbour(known, targets, asked), targets[[2, 0]])
    assert np.array_equal(baselines.mean_spectrum(targets, 2), np.tile(targets.mean(0), (2, 1)))
    # Far from everything, a Gaussian kernel knows nothing: the mean.
    np.testing.assert_allclose(baselines.kernel_ridge(known, targets, 100 + asked, 1.0)[0], targets.mean(0))


def test_kernel_ridge_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    known, targets, asked = rng.random((12, 6)), rng.random((12, 3)), rng.random((4, 6))
    distances = np.linalg.norm(known[:, None] - known, axis=2)[np.triu_indices(12, 1)]
    oracle = KernelRidge(alpha=baselines.PENALTY, kernel=RBF(0.5 * np.median(distances)))
    oracle.fit(known, targets - targets.mean(0))
    np.testing.assert_allclose(
        baselines.kernel_ridge(known, targets, asked, 0.5), targets.mean(0) + oracle.predict(asked)
    )


def test_baselines_learn_from_the_known_pairs_alone(plan: Recipe, table: PairTable) -> None:
    known, asked = protocols.folds(table, "mineral", 0)[0]
    target = table.target.values.copy()
    target[asked] = np.random.default_rng(0).random(target[asked].shape)
    spoiled = PairTable(table.source, replace(table.target, values=target))
    found, again = (
        baselines.answers(baselines.Spectra.of(plan, one), known, asked) for one in (table, spoiled)
    )  # fmt: skip
    assert set(found) == {baselines.MEAN, baselines.NEAREST, baselines.RIDGE, baselines.ROOTED}
    for name, answer in found.items():
        assert np.array_equal(answer, again[name]), name


def test_a_target_of_narrow_lines_is_asked_with_its_answer_blurred() -> None:
    plan = short("raman-to-xrd", steps=2)
    table = load_table("embedded", plan)
    assert isinstance(table, PairTable)
    known, asked = protocols.folds(table, "mineral", 0)[0]
    found = baselines.answers(baselines.Spectra.of(plan, table), known, asked)
    roughness = {name: np.abs(np.diff(answer, axis=1)).sum() for name, answer in found.items()}
    assert roughness[baselines.BLURRED] < roughness[baselines.ROOTED]
    # Against an answer blurred already, a blur of both is worth less.
    measured = Measured.of(cells.truth(plan, table), table)
    assert (measured.figures(measured.spectra)["pearson_blurred"] > 0.999).all()


def test_the_truth_itself_is_perfect(measured: Measured) -> None:
    found = measured.figures(measured.spectra)
    for name, best in {"pearson": 1, "rmse": 0, "r2": 1, "psnr": CLEAREST, "ssim": 1, "peak_f1": 1, "top5": 1}.items():
        np.testing.assert_allclose(found[name], best, atol=1e-5, err_msg=name)  # sums of float32
    assert found["spectral_angle"].max() < 1e-3  # arccos near 1 has half the digits of its argument
    assert "pearson_blurred" not in found


def test_figures_agree_with_their_formulas(measured: Measured) -> None:
    rng = np.random.default_rng(0)
    truth = measured.spectra
    answer = (truth + 0.1 * rng.standard_normal(truth.shape)).astype(np.float32)
    found = measured.figures(answer)
    oracle = [np.corrcoef(a, b)[0, 1] for a, b in zip(answer, truth, strict=True)]
    np.testing.assert_allclose(found["pearson"], oracle, atol=1e-5)  # sums of float32
    error = np.square(answer - truth).mean(axis=1)
    np.testing.assert_allclose(found["rmse"], np.sqrt(error), rtol=1e-5)
    np.testing.assert_allclose(found["psnr"], -10 * np.log10(error), rtol=1e-5)
    np.testing.assert_allclose(found["r2"], 1 - error / truth.var(axis=1), atol=1e-4)
    assert (ssim(answer, truth, measured.mask) < 1).all()


def test_what_was_not_measured_does_not_count(measured: Measured) -> None:
    mask = measured.mask.copy()
    mask[:, 300:] = 0
    hidden = replace(measured, spectra=measured.spectra * mask, mask=mask)
    answer = measured.spectra.copy()
    answer[:, 300:] = np.random.default_rng(0).random(answer[:, 300:].shape)
    found = hidden.figures(answer)
    for name in ("pearson", "r2", "ssim"):
        np.testing.assert_allclose(found[name], 1, atol=1e-5, err_msg=name)  # sums of float32
    assert found["spectral_angle"].max() < 1e-3  # as above


def test_angles_are_those_of_the_metric_where_all_is_measured(measured: Measured) -> None:
    answer = measured.spectra[::-1].copy()
    np.testing.assert_allclose(
        angles(answer, measured.spectra, measured.mask), sam(answer, measured.spectra), atol=2e-3
    )  # the metric's float32 near a cosine of 1


def test_the_place_of_a_mineral_by_hand() -> None:
    group = np.array(["a", "a", "b", "c"])
    angle = np.array([[0.9, 0.1, 0.2, 0.3], [0.5, 0.5, 0.2, 0.3], [0.4, 0.4, 0.4, 0.1], [0.7, 0.7, 0.7, 0.7]])
    assert place(angle, group).tolist() == [1, 3, 3, 3]  # ties count against the answer


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=30))
def test_auc_is_that_of_scikit_learn(drawn: list[tuple[int, bool]]) -> None:
    score, good = (np.array(column) for column in zip(*drawn, strict=True))
    if good.all() or not good.any():
        assert trust.auc(score, good) == 0.5
    else:
        assert trust.auc(score, good) == pytest.approx(roc_auc_score(good, score))


def test_an_interval_score_pays_for_width_and_for_misses() -> None:
    truth, mask = np.full((1, 4), 0.5, np.float32), np.array([[1, 1, 1, 0]], np.float32)
    lower, upper = np.array([[0.4, 0.4, 0.6, 0]], np.float32), np.array([[0.6, 0.8, 0.8, 9]], np.float32)
    score = interval_score(lower, upper, truth, mask, 0.9)
    assert score[0] == pytest.approx((0.2 + 0.4 + 0.2 + 20 * 0.1) / 3, rel=1e-5)


def test_a_constant_band_covers_what_it_promises(answers: Answers, measured: Measured) -> None:
    lower, upper = trust.constant_band(answers, measured.spectra, measured.mask, measured.group)
    covered = (measured.spectra >= lower) & (measured.spectra <= upper)
    # What 12 minerals promise of the next one is .9 of 13, so that they themselves are covered by .975.
    assert covered.mean() == pytest.approx(trust.LEVEL * 13 / 12, abs=0.03)
    assert lower.min() >= 0
    assert upper.max() <= 1


def test_answers_come_from_folds_without_the_mineral_and_are_kept(
    plan: Recipe, table: PairTable, answers: Answers, tmp_path: Path
) -> None:
    assert answers.rows.tolist() == list(range(len(table)))
    assert answers.spectrum.shape == answers.lower.shape == answers.upper.shape == table.target.values.shape
    assert ((answers.familiarity >= 0) & (answers.familiarity <= 1)).all()
    for mineral in np.unique(table.group):
        assert len(np.unique(answers.fold[table.group == mineral])) == 1
    done: list[int] = []
    first = cells.answers(plan, table, "mineral", 0, tmp_path, progress=done.append, number=FOLDS)
    assert np.array_equal(first.spectrum, answers.spectrum)  # elsewhere the same fit
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    again = cells.answers(plan, table, "mineral", 0, tmp_path, progress=done.append, number=FOLDS)
    assert sum(done) == 2 * FOLDS
    assert len(files) == FOLDS
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == files
    assert np.array_equal(first.upper, again.upper)


def test_what_decides_a_cell_is_in_its_name(plan: Recipe, table: PairTable, tmp_path: Path) -> None:
    known, asked = protocols.folds(table, "mineral", 0)[0]
    noisy = table.target.values + np.float32(1)
    others = [
        (plan, PairTable(table.source, replace(table.target, values=noisy)), 0),
        (msgspec.structs.replace(plan, model={**plan.model, "dropout": 0.5}), table, 0),
        (plan, table, 1),
        *((plan, replace(table, references=replace(table.source, label=label)), 0) for label in (None, table.group)),
    ]
    own = cells.cell_of(plan, table, known, asked, 0, tmp_path, "fold").path
    paths = [cells.cell_of(*other[:2], known, asked, other[2], tmp_path, "fold").path for other in others]
    assert len({own, *paths}) == 1 + len(others)
    told = msgspec.structs.replace(plan, about="something else", minutes=9.0)
    assert cells.cell_of(told, table, known, asked, 0, tmp_path, "fold").path == own


def test_repeats_are_averaged_pair_by_pair_and_judged_beside_the_baselines(
    plan: Recipe, table: PairTable, measured: Measured, tmp_path: Path
) -> None:
    found, repeats = bench.bench(plan, table, "random", 2, tmp_path, number=FOLDS)
    each = [correlation(answers.spectrum, measured.spectra, measured.mask) for answers in repeats]
    assert not np.array_equal(each[0], each[1])
    assert found.ours["pearson_mean"].value == pytest.approx(np.mean(each), abs=1e-4)  # four digits are kept
    assert found.ours["pearson_median"].value == pytest.approx(np.median(np.mean(each, axis=0)), abs=1e-4)
    best = found.baselines[found.best_baseline]["pearson_mean"].value
    assert best == max(metrics["pearson_mean"].value for metrics in found.baselines.values())
    gain = found.gain_over[found.best_baseline]
    assert gain.value == pytest.approx(found.ours["pearson_mean"].value - best, abs=2e-4)  # likewise
    for interval in (*found.ours.values(), *found.trust.values(), *found.gain_over.values()):
        assert interval.low <= interval.value <= interval.high
    saved = found.trust["interval_score_constant_width"].value - found.trust["interval_score"].value
    assert found.trust["interval_score_saved"].value == pytest.approx(saved, abs=2e-4)  # likewise
    familiar = np.stack([answers.familiarity >= trust.FAMILIAR for answers in repeats])
    for name, which in (("pearson_familiar", familiar), ("pearson_unfamiliar", ~familiar)):
        assert found.trust[name].value == pytest.approx(np.stack(each)[which].mean(), abs=1e-4)
    assert (found.repeats, found.folds, found.pairs, found.minerals) == (2, FOLDS, 50, 25)
    results = bench.as_results(found)
    assert {"pearson_mean", "pearson_median", "rmse", "baselines", "coverage_by_mineral"} <= results.keys()
    assert set(results["baselines"]) == set(repeats[0].baselines)
    assert "familiarity auc" in bench.as_text(found)


def test_noise_cannot_be_transferred(plan: Recipe, table: PairTable, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random(table.target.values.shape).astype(np.float32)
    blind = PairTable(table.source, replace(table.target, values=noise))
    found, _ = bench.bench(plan, blind, "mineral", 1, tmp_path, number=FOLDS)
    for metrics in (found.ours, *found.baselines.values()):
        assert abs(metrics["pearson_mean"].value) < 0.1  # 50 correlations of 701 points: standard error .005


def test_an_ablation_compares_on_the_same_folds(plan: Recipe, table: PairTable, tmp_path: Path) -> None:
    levers = {"errors of the lines", "broadened answers", "references of known composition"}
    asked = {name: ablation.LEVERS[name] for name in levers}
    found = ablation.ablation(plan, table, asked, 1, tmp_path, number=FOLDS)
    # This recipe broadens nothing, and there are no references: those levers cannot be turned off.
    assert list(found) == [ablation.WHOLE, "errors of the lines"]
    assert len(list(tmp_path.glob("*.npz"))) == 2 * FOLDS
    assert found[ablation.WHOLE].gain == Interval(0, 0, 0)
    assert found["errors of the lines"].gain != Interval(0, 0, 0)
    assert all(name in ablation.as_text(found) for name in found)


def test_a_picture_has_a_row_for_each_protocol(
    plan: Recipe, table: PairTable, answers: Answers, tmp_path: Path
) -> None:
    path = pictures.extremes(plan, table, {"mineral": answers, "random": answers}, tmp_path / "extremes.png")
    assert path.read_bytes().startswith(b"\x89PNG")


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


def test_the_command_writes_results_and_a_picture(plan: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(text(plan))
    words = ["transfer", str(file), "--data", "embedded", "--folds", "2", "--work", str(tmp_path / "work")]
    out, picture = tmp_path / "results.json", tmp_path / "extremes.png"
    done = CliRunner().invoke(command, [*words, "--protocol", "mineral", "-o", str(out), "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    found = msgspec.json.decode(out.read_bytes())["raman-ir"]["mineral"]
    assert set(found["pearson_mean"]) == {"value", "low", "high"}
    assert "gain over" in done.output
    assert picture.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["transfer", "raman-to-ir", "--protocol", "minerals"], "--protocol minerals: choose random, id, mineral"),
        (["transfer", "raman-vae", "--protocol", "mineral"], "recipe raman-vae draws spectra"),
        (["transfer-ablation", "raman-to-ir", "--lever", "luck"], "--lever 'luck': choose 'references"),
    ],
)
def test_wrong_use_is_refused(words: list[str], reason: str) -> None:
    refused = CliRunner().invoke(command, [*words, "--data", "embedded"])
    assert isinstance(refused.exception, UsageError)
    assert reason in str(refused.exception)
