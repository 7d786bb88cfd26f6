"""Intervals cover what they promise on groups never seen; familiarity falls where the ground is unknown."""

from __future__ import annotations

import numpy as np
import torch

from lineshape import noise
from lineshape_training.conformal import stretch
from lineshape_training.familiarity import Familiarity
from lineshape_training.lineshapes import profile
from lineshape_training.peaks import Knots, LineRenderer, LineShapeBank
from lineshape_training.scores import pearson, rmse
from lineshape_training.seeded import Normals


def unequal_groups(rng: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of groups that differ more than their members do; a group with a large spread has few spectra."""
    spread = rng.uniform(0.2, 2.0, groups)
    sizes = np.maximum(1, (8 / spread**2)).astype(int).clip(max=40)
    of = np.repeat(np.arange(groups), sizes)
    values = (spread * rng.normal(size=groups))[of][:, None] + 0.05 * rng.normal(size=(len(of), 5))
    return values.astype(np.float32), of.astype(str)


def test_a_stretched_interval_covers_new_groups() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        truth, names = unequal_groups(rng, 13)
        new = names == "12"
        off = np.abs(truth)
        covered.append(np.mean(off[new] <= stretch(off[~new], np.ones_like(off[~new]), names[~new], 0.9)))
    # The share of 1500 new groups has a standard error of .008. Without the correction for 10 groups, or with every
    # spectrum weighted alike, it would be .86 and .80.
    assert np.mean(covered) >= 0.9 - 0.016


def test_points_that_were_not_measured_do_not_stretch_an_interval() -> None:
    off = np.full((20, 10), 0.5, np.float32)
    mask = np.ones_like(off)
    mask[:, 5:] = 0
    wild = off + 100 * (1 - mask)
    assert stretch(wild, mask, np.arange(20).astype(str), 0.9) == 0.5


def spectra_like(n: int, seed: int) -> torch.Tensor:
    """Features of made-up spectra: three lines each, of 20 possible ones."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.linspace(5, 115, 20)[torch.randint(20, (n, 3), generator=generator)]
    heights = 0.5 + torch.rand(n, 3, 1, generator=generator)
    drawn = (heights * profile(torch.arange(120.0), centers[..., None], torch.full((n, 3, 1), 5.0), 0.2)).sum(1)
    return drawn + 0.01 * torch.randn(n, 120, generator=generator)


def test_familiarity_ranks_doubt_and_is_0_for_what_is_unlike_whatever_the_network_believes() -> None:
    network, groups = Familiarity(120, 16), np.arange(200).astype(str)
    doubt = torch.rand(200, 1, generator=torch.Generator().manual_seed(4))
    network.calibrate(spectra_like(200, 0), groups, doubt, groups)
    asked = torch.linspace(0.05, 0.95, 10)[:, None]
    found = network(spectra_like(1, 0).expand(10, -1), asked)[:, 0]
    # The doubt of held-out groups was uniform, so that the share with more of it is what is left of 1.
    # 200 draws: the standard error of a share near 1/2 is .035; three of them.
    assert float((found - (1 - asked[:, 0])).abs().max()) < 0.11
    new = network(spectra_like(400, 1), torch.zeros(400, 1))[:, 0]
    # The limit keeps 95 of 100 groups, and lets go over half a spread: few new members lose much.
    assert float((new > 0.9).float().mean()) > 0.9
    unlike = {
        "nothing": torch.zeros(1, 120),
        "a constant": torch.full((1, 120), 0.7),
        "a ramp": torch.linspace(0, 1, 120)[None],
        "white noise": torch.randn(20, 120, generator=torch.Generator().manual_seed(2)),
        "one huge line": 20 * spectra_like(20, 3),
    }
    for name, features in unlike.items():
        assert float(network(features, torch.zeros(len(features), 1)).max()) < 0.05, name


def test_rendered_lines_stand_where_they_were_put() -> None:
    renderer = LineRenderer(length=203, hop=8, reach=4, fwhm=(2.0, 12.0))
    height = torch.zeros(1, renderer.lines)
    height[0, 10] = 2.0
    zero = torch.zeros_like(height)
    spectrum = renderer(zero, height, zero, zero + 0.5)[0]
    assert spectrum.shape == (203,)
    middle = 10 * 8 + 3.5  # of the eleventh segment
    points = torch.arange(203.0)
    assert abs(float((spectrum * points).sum() / spectrum.sum()) - middle) < 0.01
    assert 1.9 < float(spectrum.max()) <= 2.0
    right = renderer(zero + 10, height, zero, zero + 0.5)[0]  # tanh(10) is 1: a whole hop to the right
    assert abs(float((right * points).sum() / right.sum()) - middle - 8) < 0.3  # its tail is cut on one side


def test_overlap_adding_equals_drawing_every_line_everywhere() -> None:
    torch.manual_seed(1)
    renderer = LineRenderer(length=96, hop=8, reach=6, fwhm=(2.0, 6.0))
    position, width = torch.randn(2, renderer.lines), torch.randn(2, renderer.lines)
    height, eta = torch.rand(2, renderer.lines), torch.zeros(2, renderer.lines)  # Gaussians end inside the window
    anchors = torch.arange(renderer.lines) * 8 + 3.5
    center = anchors + torch.tanh(position) * 8
    fwhm = 2.0 * 3.0 ** torch.sigmoid(width)
    everywhere = height[..., None] * profile(torch.arange(96.0), center[..., None], fwhm[..., None], eta[..., None])
    torch.testing.assert_close(renderer(position, height, width, eta), everywhere.sum(1), atol=1e-5, rtol=1e-5)


def test_the_bank_is_a_convolution_with_lines_and_then_a_mean_over_cells() -> None:
    torch.manual_seed(2)
    spectra, widths = torch.randn(3, 203), (4.0, 12.0)
    x = torch.arange(-24, 25.0)
    lines = torch.stack([profile(x, torch.zeros(1), torch.tensor([w]), 0.0) for w in widths])
    smooth = torch.nn.functional.conv1d(spectra[:, None], (lines / lines.sum(1, keepdim=True))[:, None], padding=24)
    whole = smooth[:, :, :200].unflatten(2, (25, 8)).mean(3)
    torch.testing.assert_close(LineShapeBank(0.0, widths, 8)(spectra)[:, :, :25], whole, atol=1e-5, rtol=1e-5)


def test_between_knots_are_straight_lines() -> None:
    for length, count in ((33, 5), (31, 5), (34, 6), (1, 1)):
        knots = Knots(length, 8)
        assert knots.count == count
        torch.testing.assert_close(knots(8 * torch.arange(float(count))[None])[0], torch.arange(float(length)))


def test_scores_equal_numpy_over_the_measured_points() -> None:
    rng = np.random.default_rng(2)
    a, b = (torch.from_numpy(rng.normal(size=(3, 50)).astype(np.float32)) for _ in range(2))
    mask = torch.ones(3, 50)
    mask[:, 30:] = 0
    for row in range(3):
        x, y = a[row, :30].numpy(), b[row, :30].numpy()
        assert abs(float(pearson(a, b, mask)[row]) - np.corrcoef(x, y)[0, 1]) < 1e-6
        assert abs(float(rmse(a, b, mask)[row]) - np.sqrt(np.mean((x - y) ** 2))) < 1e-6
    assert float(pearson(torch.ones(1, 9), torch.ones(1, 9), torch.ones(1, 9))) == 0


def test_torch_normals_are_core_normals() -> None:
    rows = noise.seeds(2**40 + 3, 20, first=2**33)
    drawn = Normals(16, 37)(torch.from_numpy(rows))
    expected = np.hstack([noise.normals(rows, 16), noise.normals(rows, 37, noise.DETECTOR)])
    # The same words; cos, sin and log of float32 differ by a unit in the last place between libraries.
    np.testing.assert_allclose(drawn.numpy(), expected, atol=1e-6)
