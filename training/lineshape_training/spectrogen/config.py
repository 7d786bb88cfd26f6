"""The numbers of a SpectroGen network."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LEVEL = 0.9  # of the interval


class SpectroGenConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    latent, hidden, drawing : int
        Sizes of the latent, of the encoder's hidden layer and of the decoder's.
    dropout : float
        Share of the features hidden from the encoder while fitting.
    source_widths : tuple of float
        FWHM of the filters, in source grid points.
    cell : int
        Source grid points in one feature.
    source_shape, target_shape : float, optional
        Lorentzian fraction of the lines, 0 Gaussian to 1 Lorentzian; by default the modality's.
    hop, reach : int
        Target grid points from one rendered line to the next, and segments of that size drawn on either side.
    target_width : (low, high)
        Narrowest and widest rendered line (FWHM), in target grid points.
    decoder : str
        ``lines`` draws lines and a bounded residual; ``flow`` follows a path from the source, in `evaluations` steps.
    residual : float
        Bound of the lines' residual, in units of the largest intensity.
    evaluations : int
        Of the flow's network in one transfer.
    knot : int
        Target grid points between knots of the residual and of the interval.
    kl, correlation, peaks, composition : float
        Weights of the loss beside the mean absolute error.
    references : int
        Unpaired spectra of known composition beside each pair of a batch, where there are any.
    shift, scale, noise : float
        Augmentation of the source: largest shift in grid points, of the logarithm of local intensities, and noise.
    kinship : float
        Width of the memory's kernels, in median distances.
    taught : float
        Share of the latents' kernel; the rest is that of the features, which nothing has taught.
    ridge : float
        Penalty of the memory's regression.
    shares : tuple of float
        Of the decoder, where nothing is looked up; held-out materials choose one of them.
    sharpness : float
        Of the look-up: how much better the best match must be to stand alone.
    broadening : float
        FWHM, in target grid points, of the line by which the regression's answer is blurred; 0 not at all.
    """

    latent: Annotated[int, Meta(ge=2)] = 128
    hidden: Annotated[int, Meta(ge=8)] = 512
    drawing: Annotated[int, Meta(ge=8)] = 256
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    source_widths: tuple[float, ...] = (7.0, 28.0)
    cell: Annotated[int, Meta(ge=1)] = 4
    source_shape: float | None = None
    target_shape: float | None = None
    hop: Annotated[int, Meta(ge=1)] = 16
    reach: Annotated[int, Meta(ge=1)] = 6
    target_width: tuple[float, float] = (4.0, 120.0)
    decoder: Literal["lines", "flow"] = "lines"
    residual: float = 1.0
    evaluations: Annotated[int, Meta(ge=1, le=8)] = 4
    knot: Annotated[int, Meta(ge=1)] = 8
    kl: float = 1e-4
    correlation: float = 1.0
    peaks: float = 0.1
    composition: float = 8.0
    references: Annotated[int, Meta(ge=1)] = 3
    shift: Annotated[int, Meta(ge=0)] = 3
    scale: Annotated[float, Meta(ge=0)] = 0.15
    noise: Annotated[float, Meta(ge=0)] = 0.03
    kinship: Annotated[float, Meta(gt=0)] = 0.7
    taught: Annotated[float, Meta(ge=0, le=1)] = 1.0
    ridge: Annotated[float, Meta(gt=0)] = 0.3
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    sharpness: Annotated[float, Meta(gt=0)] = 20.0
    broadening: Annotated[float, Meta(ge=0)] = 0.0
