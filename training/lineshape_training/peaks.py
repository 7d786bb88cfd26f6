"""Line shapes as layers: a fixed bank of filters that finds lines, and a renderer that draws them.

Both work in grid points. The bank is the line-shape prior of the source modality, the renderer that of the target.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape.peaks import find_peaks
from lineshape_training.lineshapes import profile


class LineShapeBank(nn.Module):
    """Convolve spectra with unit-area lines of several widths, and take means over cells; nothing in it is learned.

    Convolving and averaging are one convolution, so nothing is computed that the mean would throw away.

    Parameters
    ----------
    eta : float
        Lorentzian fraction of the source modality's lines.
    widths : tuple of float
        FWHM of each filter, in grid points.
    cell : int
        Grid points of a cell.
    """

    kernels: Tensor

    def __init__(self, eta: float, widths: tuple[float, ...], cell: int) -> None:
        super().__init__()
        self.reach, self.cell = int(2 * max(widths)), cell
        x = torch.arange(-self.reach, self.reach + 1.0)
        lines = profile(x, torch.zeros(1), torch.tensor(widths)[:, None], eta)
        averaged = F.conv1d(
            (lines / lines.sum(1, keepdim=True))[:, None], torch.ones(1, 1, cell) / cell, padding=cell - 1
        )
        self.register_buffer("kernels", averaged, persistent=False)

    def forward(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n widths cells"]:
        """One smoothed copy of each spectrum for each width; the last cell is filled up with zeros."""
        missing = -spectra.shape[1] % self.cell
        padded = F.pad(spectra, (self.reach, self.reach + missing))
        return F.conv1d(padded[:, None], self.kernels, stride=self.cell)


class LineRenderer(nn.Module):
    """Draw one line near each anchor of a regular row of anchors, and add them up.

    A line is drawn on the anchor's own segment and `reach` segments on either side, so the cost grows with the number
    of points and not with its product with the number of lines.

    Parameters
    ----------
    length : int
        Points of the spectrum.
    hop : int
        Points from anchor to anchor.
    reach : int
        Segments of `hop` points drawn on either side.
    fwhm : (low, high)
        Narrowest and widest line, in grid points.
    """

    window: Tensor

    def __init__(self, length: int, hop: int, reach: int, fwhm: tuple[float, float]) -> None:
        super().__init__()
        self.length, self.hop, self.reach, self.fwhm = length, hop, reach, fwhm
        self.lines = -(-length // hop)
        window = torch.arange(-reach * hop, (reach + 1) * hop) - (hop - 1) / 2  # seen from the anchor's middle
        self.register_buffer("window", window, persistent=False)

    def forward(
        self,
        position: Float[Tensor, "n lines"],
        height: Float[Tensor, "n lines"],
        width: Float[Tensor, "n lines"],
        eta: Float[Tensor, "n lines"],
    ) -> Float[Tensor, "n length"]:
        """Spectra of the lines.

        Parameters
        ----------
        position, width : any real numbers
            Squeezed to at most one hop away from the anchor and into the range of `fwhm`.
        height : not negative
        eta : 0 to 1
        """
        low, high = self.fwhm
        center = torch.tanh(position) * self.hop
        fwhm = low * (high / low) ** torch.sigmoid(width)
        drawn = height[..., None] * profile(self.window, center[..., None], fwhm[..., None], eta[..., None])
        return self._overlap_added(drawn)

    def _overlap_added(self, drawn: Float[Tensor, "n lines window"]) -> Float[Tensor, "n length"]:
        """Piece j of anchor a belongs to segment a + j - reach: shift piece j by j segments, and add.

        Rows that are padded, flattened and read again one segment shorter have each moved one segment further.
        """
        n, segments = drawn.shape[0], 2 * self.reach + 1
        width = self.lines + segments
        pieces = drawn.reshape(n, self.lines, segments, self.hop).transpose(1, 2)
        flat = F.pad(pieces, (0, 0, 0, segments)).reshape(n, segments * width, self.hop)
        shifted = flat[:, : segments * (width - 1)].reshape(n, segments, width - 1, self.hop)
        return shifted.sum(1)[:, self.reach : self.reach + self.lines].reshape(n, -1)[:, : self.length]


def anchored_lines(spectra: Float[Tensor, "n length"], render: LineRenderer) -> Float[Tensor, "n 3 lines"]:
    """The peaks of measured spectra as a renderer would draw them; of several at one anchor the highest.

    Returns
    -------
    float32 [n, 3, lines]
        Place (in hops from the anchor), height (0 where there is no peak), and place of the FWHM between the
        renderer's narrowest and widest line, on a logarithmic scale.
    """
    found = find_peaks(spectra.cpu().numpy())
    order = np.argsort(found.height, kind="stable")
    row, position, height, fwhm = (column[order] for column in (found.row, found.position, found.height, found.fwhm))
    anchor = np.minimum(position // render.hop, render.lines - 1).astype(np.intp)
    low, high = render.fwhm
    lines = np.zeros((len(spectra), 3, render.lines), np.float32)
    lines[row, 0, anchor] = (position - anchor * render.hop - (render.hop - 1) / 2) / render.hop
    lines[row, 1, anchor] = height
    lines[row, 2, anchor] = np.clip(np.log(np.maximum(fwhm, low) / low) / np.log(high / low), 0, 1)
    return torch.from_numpy(lines).to(spectra.device)


class Knots(nn.Module):
    """Values at a knot every `hop` points, and straight lines between them.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    hop : int
    """

    def __init__(self, length: int, hop: int) -> None:
        super().__init__()
        self.length, self.hop, self.count = length, hop, 1 + -(-(length - 1) // hop)

    def forward(self, values: Float[Tensor, "n knots"]) -> Float[Tensor, "n length"]:
        """The value at each point."""
        left, right = values[:, :-1, None], values[:, 1:, None]  # interpolate() would be exported as gathers
        between = left + (right - left) * (torch.arange(self.hop, device=values.device) / self.hop)
        return torch.cat([between.flatten(1), values[:, -1:]], dim=1)[:, : self.length]


def hats(length: int, hop: int) -> Float[Tensor, "knots length"]:
    """`Knots` as one matrix, whose transpose gathers what lies around each knot."""
    knots = Knots(length, hop)
    matrix: Tensor = knots(torch.eye(knots.count))
    return matrix
