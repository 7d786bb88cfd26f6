"""The parts of a vector-quantised autoencoder (van den Oord et al., 2017): layouts, encoder, decoder and codebook.

Eight points become one cell of a few channels. A spectrum is laid out as the line that it is, or folded into a square
figure, row under row, for convolutions in two dimensions; both have the same points in a cell.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed, nn
from torch.nn import functional as F

DECAY = 0.99  # of the averages that the codes are
DEAD = 0.1  # a code is dead that is used less than this share of an even use
WIDE, NARROW = 9, 5  # points under a filter of a line; figures have three by three


class Layout(ABC):
    """How the points of a spectrum lie before a convolution.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    """

    strides: ClassVar[tuple[tuple[int, ...], ...]]  # of the two convolutions
    sides: tuple[int, ...]  # cells along each direction

    def __init__(self, length: int) -> None:
        self.length = length

    @property
    def cells(self) -> int:
        """Cells of a spectrum."""
        return math.prod(self.sides)

    @abstractmethod
    def fold(self, spectra: Float[Tensor, "n L"]) -> Tensor:
        """Spectra [n, L] to one channel of points, filled up with their last one."""

    @abstractmethod
    def unfold(self, points: Tensor) -> Float[Tensor, "n L"]:
        """And back, as it was."""

    @abstractmethod
    def spread(self, values: Tensor, stride: tuple[int, ...]) -> Tensor:
        """Channels in the place of points: so many fewer of them for so many more points in each direction."""

    @abstractmethod
    def conv(self, inward: int, outward: int, wide: bool, stride: tuple[int, ...]) -> nn.Module:
        """A convolution."""


class Line(Layout):
    """One point beside the other."""

    strides: ClassVar[tuple[tuple[int, ...], ...]] = ((4,), (2,))

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.sides = (-(-length // 8),)

    def fold(self, spectra: Float[Tensor, "n L"]) -> Tensor:
        """One line."""
        return F.pad(spectra[:, None], (0, 8 * self.sides[0] - self.length), mode="replicate")

    def unfold(self, points: Tensor) -> Float[Tensor, "n L"]:
        """What was filled up is cut off."""
        return points[:, 0, : self.length]

    def spread(self, values: Tensor, stride: tuple[int, ...]) -> Tensor:
        """Every point becomes as many as the stride."""
        return torch.unflatten(values, 1, (-1, *stride)).transpose(2, 3).flatten(2)

    def conv(self, inward: int, outward: int, wide: bool, stride: tuple[int, ...] = (1,)) -> nn.Module:
        """In one dimension."""
        taps = WIDE if wide else NARROW
        return nn.Conv1d(inward, outward, taps, stride[0], taps // 2)


class Figure(Layout):
    """Rows of a square, one under the other, whose side is the root of the length (Yao et al., 2024)."""

    strides: ClassVar[tuple[tuple[int, ...], ...]] = ((2, 2), (2, 1))

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.side = math.isqrt(length - 1) + 1
        self.sides = (-(-self.side // 4), -(-self.side // 2))
        self.rows, self.columns = 4 * self.sides[0], 2 * self.sides[1]

    def fold(self, spectra: Float[Tensor, "n L"]) -> Tensor:
        """A square, then edges up to whole cells."""
        square = F.pad(spectra[:, None], (0, self.side**2 - self.length), mode="replicate")
        edges = (0, self.columns - self.side, 0, self.rows - self.side)
        return F.pad(torch.unflatten(square, 2, (self.side, self.side)), edges, mode="replicate")

    def unfold(self, points: Tensor) -> Float[Tensor, "n L"]:
        """Row behind row."""
        return points[:, 0, : self.side, : self.side].flatten(1)[:, : self.length]

    def spread(self, values: Tensor, stride: tuple[int, ...]) -> Tensor:
        """Every point becomes a small block."""
        blocks = torch.unflatten(values, 1, (-1, *stride)).permute(0, 1, 4, 2, 5, 3)
        return blocks.flatten(4, 5).flatten(2, 3)

    def conv(self, inward: int, outward: int, wide: bool, stride: tuple[int, ...] = (1, 1)) -> nn.Module:
        """In two dimensions."""
        return nn.Conv2d(inward, outward, 3, (stride[0], stride[1]), 1)


class Encoder(nn.Module):
    """Spectra to cells.

    Parameters
    ----------
    layout : Layout
    width, channels : int
        Of the first convolution (the second has twice as many), and of a cell.
    """

    def __init__(self, layout: Layout, width: int, channels: int) -> None:
        super().__init__()
        self.layout, w = layout, width
        first, second = layout.strides
        one = tuple(1 for _ in first)
        self.body = nn.Sequential(
            layout.conv(1, w, True, first), nn.GELU(), layout.conv(w, 2 * w, False, second), nn.GELU(),
            layout.conv(2 * w, channels, False, one),
        )  # fmt: skip

    def forward(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n cells channels"]:
        """One cell for every eight points."""
        cells: Tensor = self.body(self.layout.fold(spectra))
        return cells.flatten(2).transpose(1, 2)


class Decoder(nn.Module):
    """Cells to spectra; parameters as for `Encoder`."""

    def __init__(self, layout: Layout, width: int, channels: int) -> None:
        super().__init__()
        self.layout, w = layout, width
        second, first = reversed(layout.strides)
        one = tuple(1 for _ in first)
        self.coarse = nn.Sequential(
            layout.conv(channels, 2 * w, False, one), nn.GELU(),
            layout.conv(2 * w, math.prod(second) * w, False, one), nn.GELU(),
        )  # fmt: skip
        self.fine = layout.conv(w, math.prod(first), True, one)

    def forward(self, cells: Float[Tensor, "n cells channels"]) -> Float[Tensor, "n L"]:
        """The spectra."""
        first, second = self.layout.strides
        coarse = self.coarse(torch.unflatten(cells.transpose(1, 2), 2, self.layout.sides))
        return self.layout.unfold(self.layout.spread(self.fine(self.layout.spread(coarse, second)), first))


class Codebook(nn.Module):
    """Codes that are the running averages of the cells next to them.

    Parameters
    ----------
    codes, channels : int
        How many, and of how many numbers.
    """

    codes: Tensor
    shares: Tensor
    sums: Tensor

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(codes, channels))
        self.register_buffer("shares", torch.full((codes,), 1 / codes))
        self.register_buffer("sums", torch.zeros(codes, channels))

    @torch.no_grad()
    def begin(self, cells: Float[Tensor, "m c"]) -> None:
        """Start at cells that stand evenly apart in their list."""
        rows = torch.linspace(0, len(cells) - 1, len(self.codes), device=cells.device)
        self.codes.copy_(cells[rows.long()])
        self.sums.copy_(self.codes * self.shares[:, None])

    def nearest(self, cells: Float[Tensor, "m c"]) -> Int[Tensor, " m"]:
        """The code next to each cell."""
        squared = torch.addmm(self.codes.square().sum(1), cells, self.codes.T, alpha=-2)  # but for the cells' own
        return squared.argmin(1)

    @torch.no_grad()
    def follow(self, cells: Float[Tensor, "m c"], nearest: Int[Tensor, " m"], offered: Float[Tensor, "k c"],
               to: Int[Tensor, " k"]) -> None:  # fmt: skip
        """Move the codes towards the cells next to them; dead ones to the mean of what is offered to them.

        With n_i the share of the cells whose next code is i, and m_i their sum over the count of all cells, both
        averaged over the steps, a code is m_i / n_i (van den Oord et al., 2017, appendix A.1).
        """
        counts = torch.cat([self._gathered(cells, nearest), self._gathered(offered, to)], dim=1)
        uses, sums, offers, offer = torch.split(summed(counts), [1, self.codes.shape[1]] * 2, dim=1)
        self.shares.lerp_(uses[:, 0] / uses.sum(), 1 - DECAY)
        self.sums.lerp_(sums / uses.sum(), 1 - DECAY)
        even = 1 / len(self.codes)
        restarted = (self.shares[:, None] < DEAD * even) & (offers > 0)
        self.shares.copy_(torch.where(restarted[:, 0], even, self.shares))
        self.sums.copy_(torch.where(restarted, offer / offers.clamp(min=1) * even, self.sums))
        self.codes.copy_(self.sums / self.shares[:, None])

    def _gathered(self, cells: Float[Tensor, "m c"], to: Int[Tensor, " m"]) -> Float[Tensor, "codes 1+c"]:
        """How many cells go to each code, and their sum."""
        counted = torch.cat([torch.ones_like(cells[:, :1]), cells], dim=1)
        return counted.new_zeros(len(self.codes), counted.shape[1]).index_add_(0, to, counted)


def summed(values: Tensor) -> Tensor:
    """The sum over all processes of a fit, in place."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(values)
    return values
