"""Raman lines and IR bands of the mineral library, fitted to measured spectra of the RRUFF project.

Needs numpy and scipy (the project's extra `baseline`). Usage:

    python scripts/minerals/fit_lines.py --data FOLDER -o lines.json

where FOLDER holds `raman_minerals.npz` and `raman_ir_pairs.npz`. For each mineral of `structures.toml` the
measured spectra (Raman: of a green laser, if there are any) are ordered by how well they correlate with the
mineral's others, so that a fluorescent or mislabelled one comes last, and the first that can be fitted is kept.

The model is a sum of pseudo-Voigt lines on a straight baseline; lines are found where the residual stands out and
all are refined together by least squares. Two lines much closer than their width are one. Very wide lines take up
what is left of a curved background and do not go into the table. The R2 in the table is the share of the variance
about a straight baseline that the table's lines explain; a spectrum that they explain too little of is refused. A
line may lie a little outside the measured range if its flank was measured.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from scipy.signal import find_peaks, peak_widths

Floats = NDArray[np.float64]
LN16 = 4 * log(2)
ROUNDS = 5  # of looking for lines in the residual
FAINTEST = 0.02  # of the strongest line
GREEN = (510, 535)  # nm
MOST_LINES = 15
GOOD_R2 = 0.97  # no further spectrum is tried
LEAST_R2 = 0.9  # below it a mineral does without


@dataclass(frozen=True)
class Window:
    """Where and how a modality is fitted, in cm-1."""

    low: float
    high: float
    beyond: float  # how far outside a line may lie
    narrowest: float  # FWHM
    widest: float
    background: float  # lines of more than this FWHM are background
    apart: float  # least distance of two lines, in FWHM of the wider one


WINDOWS = {
    "raman": Window(150, 1250, beyond=8, narrowest=2, widest=250, background=60, apart=0.6),
    "ir": Window(400, 1800, beyond=20, narrowest=4, widest=500, background=250, apart=0.4),
}


@dataclass(frozen=True)
class Measured:
    """A measured spectrum, trimmed to where it was measured and scaled to its range."""

    rruff_id: str
    laser_nm: int
    x: Floats
    y: Floats

    @property
    def noise(self) -> float:
        """Standard deviation of white noise, from second differences (median, so that lines do not count)."""
        return float(np.median(np.abs(np.diff(self.y, 2))) / 0.6745 / np.sqrt(6))


def measured(modality: str, mineral: str, files: dict[str, Any], only: str = "") -> list[Measured]:
    """Spectra of a mineral that cover most of the window, the most typical first.

    `only` narrows them to a specimen, or to a specimen and laser.
    """
    rows = _raman(mineral, files) if modality == "raman" else _ir(mineral, files)
    window = WINDOWS[modality]
    trimmed = [_trimmed(*row, window) for row in rows]
    good = [s for s in trimmed if s is not None and s.noise < 0.03 and only in f"{s.rruff_id} {s.laser_nm}"]
    good = [s for s in good if GREEN[0] < s.laser_nm < GREEN[1]] or good
    return _most_typical_first(good, window)


def _raman(mineral: str, files: dict[str, Any]) -> Iterator[tuple[str, int, Floats, Floats]]:
    single, pairs = files["raman_minerals"], files["raman_ir_pairs"]
    for i in np.flatnonzero(single["mineral"] == mineral):
        yield str(single["rruff_id"][i]), int(single["laser_nm"][i]), single["axis_cm1"], single["spectra"][i]
    for i in np.flatnonzero(pairs["mineral"] == mineral):
        yield (
            str(pairs["rruff_id"][i]),
            514,
            pairs["raman_axis"],
            np.where(pairs["raman_mask"][i], pairs["raman"][i], 0),
        )


def _ir(mineral: str, files: dict[str, Any]) -> Iterator[tuple[str, int, Floats, Floats]]:
    pairs = files["raman_ir_pairs"]
    for i in np.flatnonzero(pairs["mineral"] == mineral):
        yield str(pairs["rruff_id"][i]), 0, pairs["ir_axis"], np.where(pairs["ir_mask"][i], pairs["ir"][i], 0)


def _trimmed(rruff_id: str, laser: int, x: Floats, y: Floats, window: Window) -> Measured | None:
    inside = (x >= window.low) & (x <= window.high)
    x, y = np.asarray(x[inside], float), np.asarray(y[inside], float)
    there = np.flatnonzero(y != 0)
    if len(there) < 2 or np.ptp(y) == 0:
        return None
    x, y = x[there[0] : there[-1] + 1], y[there[0] : there[-1] + 1]
    if x[0] > window.low + 20 or x[-1] < window.high - 100:
        return None
    low = np.quantile(y, 0.02)
    return Measured(rruff_id, laser, x, (y - low) / (y.max() - low))


def _most_typical_first(spectra: list[Measured], window: Window) -> list[Measured]:
    if len(spectra) < 3:
        return sorted(spectra, key=lambda s: s.noise)
    grid = np.arange(window.low + 20, window.high - 100)
    correlations = np.corrcoef([gaussian_filter1d(np.interp(grid, s.x, s.y), 2) for s in spectra])
    order = np.argsort(-np.median(correlations, axis=1), kind="stable")
    return [spectra[i] for i in order]


def model(x: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Baseline and lines [n, m] of the parameters (offset, slope, positions, heights, widths, etas)."""
    position, height, fwhm, eta = p[2:].reshape(4, -1, 1)
    square = ((x - position) / fwhm) ** 2
    lines = height * (eta / (1 + 4 * square) + (1 - eta) * np.exp(-LN16 * square))
    return p[0] + p[1] * (x - x[0]) / np.ptp(x), lines


def jacobian(x: Floats, p: Floats) -> Floats:
    """Derivatives of the model by each parameter, [m, 2 + 4 n]."""
    position, height, fwhm, eta = p[2:].reshape(4, -1, 1)
    u = (x - position) / fwhm
    lorentz, gauss = 1 / (1 + 4 * u**2), np.exp(-LN16 * u**2)
    by_u = height * (-8 * u * lorentz**2 * eta - 2 * LN16 * u * gauss * (1 - eta))
    head = [np.ones((1, len(x))), ((x - x[0]) / np.ptp(x))[None]]
    by_height, by_eta = eta * lorentz + (1 - eta) * gauss, height * (lorentz - gauss)
    return np.concatenate([*head, -by_u / fwhm, by_height, -by_u * u / fwhm, by_eta]).T


def fit(spectrum: Measured, window: Window) -> tuple[Floats, float]:
    """Lines [4, n] (position, height, FWHM, eta) without faint ones and background, and their R2."""
    p = np.zeros(2)
    for _ in range(ROUNDS):
        more = _stand_out(spectrum, p, window)
        if not more.size:
            break
        p = _refined(spectrum, np.concatenate([p[2:].reshape(4, -1), more], axis=1), window)
    while (lines := _distinct(p[2:].reshape(4, -1), window.apart)).size < len(p) - 2:
        p = _refined(spectrum, lines, window)
    lines = lines[:, lines[2] <= window.background]
    return lines, _explained(spectrum, lines)


def _explained(spectrum: Measured, lines: Floats) -> float:
    """Share of the variance about a straight baseline that the lines explain."""
    rest = spectrum.y - model(spectrum.x, _with_baseline(lines))[1].sum(0)
    return 1 - float(np.var(_detrended(spectrum.x, rest)) / np.var(_detrended(spectrum.x, spectrum.y)))


def _detrended(x: Floats, y: Floats) -> Floats:
    return np.asarray(y - np.polyval(np.polyfit(x, y, 1), x), float)


def _with_baseline(lines: Floats) -> Floats:
    return np.concatenate([np.zeros(2), lines.ravel()])


def _total(x: Floats, p: Floats) -> Floats:
    baseline, lines = model(x, p)
    return np.asarray(baseline + lines.sum(0), float)


def _stand_out(spectrum: Measured, p: Floats, window: Window) -> Floats:
    """New lines [4, k] where the residual peaks, away from the lines that are there, the strongest first."""
    smooth = gaussian_filter1d(spectrum.y - _total(spectrum.x, p), 1.0)
    # One point in front, so that a flank that falls from the first point on counts as a peak.
    padded = np.concatenate([[smooth.min()], smooth])
    least = max(0.015, 5 * spectrum.noise)
    at, found = find_peaks(padded, prominence=least)
    there = p[2:].reshape(4, -1)
    far = (np.abs(spectrum.x[at - 1][:, None] - there[0]) > window.apart * there[2]).all(axis=1)
    strongest = np.argsort(-found["prominences"][far])[: MOST_LINES - there.shape[1]]
    best = np.sort(at[far][strongest])
    width = peak_widths(padded, best)[0] * (spectrum.x[1] - spectrum.x[0])
    width = np.clip(width, 1.5 * window.narrowest, window.widest / 4)
    return np.stack([spectrum.x[best - 1], np.maximum(padded[best], least), width, np.full(len(best), 0.7)])


def _refined(spectrum: Measured, lines: Floats, window: Window) -> Floats:
    """All parameters by least squares from these lines."""
    x, y, n = spectrum.x, spectrum.y, lines.shape[1]
    ends = x[0] - window.beyond, x[-1] + window.beyond
    low = np.concatenate([[-0.2, -1], np.repeat([ends[0], 0, window.narrowest, 0], n)])
    high = np.concatenate([[1, 1], np.repeat([ends[1], 2, window.widest, 1], n)])
    start = np.clip(_with_baseline(lines), low + 1e-6, high - 1e-6)
    result = least_squares(lambda q: _total(x, q) - y, start, lambda q: jacobian(x, q), (low, high),
                           x_scale=np.maximum(np.abs(start), 0.01), ftol=1e-6, max_nfev=150)  # fmt: skip
    return np.asarray(result.x, float)


def _distinct(lines: Floats, apart: float) -> Floats:
    """By rising position, without faint lines and without the weaker of the two lines that are closest."""
    lines = lines[:, np.argsort(lines[0])]
    lines = lines[:, lines[1] >= FAINTEST * lines[1].max(initial=0)]
    position, height, fwhm, _ = lines
    room = np.diff(position) / np.maximum(fwhm[1:], fwhm[:-1])
    if not room.size or room.min() >= apart:
        return lines
    left = int(np.argmin(room))
    weaker = left if height[left] < height[left + 1] else left + 1
    return np.asarray(lines[:, np.arange(lines.shape[1]) != weaker], float)


def described(spectrum: Measured, lines: Floats, r2: float) -> dict[str, Any]:
    """A fit as it stands in the library: heights relative to the strongest line."""
    position, height, fwhm, eta = lines
    rows = zip(position.round(1), (height / height.max()).round(3), fwhm.round(1), eta.round(2), strict=True)
    laser = f", {spectrum.laser_nm} nm" if spectrum.laser_nm else ""
    return {"source": f"RRUFF {spectrum.rruff_id}{laser}", "r2": round(r2, 4),
            "lines": [[float(v) for v in row] for row in rows]}  # fmt: skip


def best_fit(modality: str, mineral: str, files: dict[str, Any], only: str) -> tuple[Measured, Floats, float] | None:
    """The first good fit of the four most typical spectra, or the best of them."""
    fits = []
    for spectrum in measured(modality, mineral, files, only)[:4]:
        fits.append((spectrum, *fit(spectrum, WINDOWS[modality])))
        if fits[-1][2] >= GOOD_R2:
            return fits[-1]
    return max(fits, key=lambda f: f[2]) if fits else None


def formula_of(mineral: str, files: dict[str, Any]) -> str:
    """Ideal formula as plain text: no charges, no markup."""
    marked = files["raman_minerals"]["formula"][files["raman_minerals"]["mineral"] == mineral][0]
    return html.unescape(re.sub(r"\^[^^]*\^|_", "", str(marked)))


def main() -> None:
    """Fit every mineral of `structures.toml` that has spectra; the refused ones are named on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=Path, default=Path(__file__).with_name("structures.toml"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the RRUFF tables")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    files = {name: dict(np.load(options.data / f"{name}.npz")) for name in ("raman_minerals", "raman_ir_pairs")}
    table = {}
    for mineral, choice in tomllib.loads(options.structures.read_text()).items():
        entry: dict[str, Any] = {"formula": formula_of(mineral, files)}
        for modality in WINDOWS:
            found = best_fit(modality, mineral, files, choice.get(modality, ""))
            if found is None:
                continue
            verdict = "" if found[2] >= LEAST_R2 else " REFUSED"
            print(f"{mineral} {modality}: R2 {found[2]:.4f}, {found[1].shape[1]} lines{verdict}", file=sys.stderr)
            if not verdict:
                entry[modality] = described(*found)
        if "raman" in entry:
            table[mineral] = entry
    options.output.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
