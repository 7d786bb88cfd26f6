"""The network of SpectroGen's public code at its layer sizes, with random weights: for its cost, and for nothing else.

Zhu et al. (2024) give a plot of the spectrum as a grey image of 256 x 2048 pixels to a two-dimensional convolutional
variational autoencoder. Four convolutions halve the image to 256 channels of 16 x 128, a dense layer reads 512 features
from those 524,288 numbers, and the latent has 256 dimensions; the decoder is the mirror image without the 512 features.
Nearly all weights stand in two dense layers: 268 M and 135 M of 404 M.

Left out is a branch of two numbers about the lines (1 M parameters more, and next to no time). The pass here goes
through the latent's mean; drawing the latent would cost nothing worth measuring. Making the picture of a spectrum and
reading a spectrum off a picture, which their way also needs, is not counted.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape.errors import MissingExtra

IMAGE = (256, 2048)  # pixels: height, width
CHANNELS = (1, 32, 64, 128, 256)
FEATURES, LATENT = 512, 256
OPSET = 20


class PaperNetwork(nn.Module):
    """One deterministic pass from the picture of a spectrum to the picture of another.

    Parameters
    ----------
    image : (height, width)
        In pixels; each divisible by 2 for every convolution.
    channels : sequence of int
        Of the image and after each convolution.
    """

    def __init__(self, image: tuple[int, int] = IMAGE, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.image = image
        halvings = len(channels) - 1
        small = (channels[-1], image[0] >> halvings, image[1] >> halvings)
        numbers = small[0] * small[1] * small[2]
        steps = list(pairwise(channels))
        self.encoder = nn.Sequential(
            *(layer for step in steps for layer in (nn.Conv2d(*step, 3, stride=2, padding=1), nn.ReLU())),
            nn.Flatten(), nn.Linear(numbers, FEATURES), nn.ReLU(),
        )  # fmt: skip
        self.mean, self.log_variance = nn.Linear(FEATURES, LATENT), nn.Linear(FEATURES, LATENT)
        up = [layer for before, after in reversed(steps) for layer in (_doubled(after, before), nn.ReLU())]
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, numbers), nn.ReLU(), nn.Unflatten(1, small), *up[:-1], nn.Sigmoid()
        )

    def forward(self, image: Float[Tensor, "n 1 height width"]) -> Float[Tensor, "n 1 height width"]:
        """The picture of the other modality, intensities 0 to 1."""
        picture: Tensor = self.decoder(self.mean(self.encoder(image)))
        return picture


def _doubled(wide: int, narrow: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1)


def in_onnx(network: nn.Module, image: Float[Tensor, "1 1 height width"]) -> bytes:
    """The network as ONNX, for images of that one size. At full size this takes some 8 GB of memory.

    Raises
    ------
    MissingExtra
        If PyTorch's exporter lacks its packages.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise MissingExtra("the paper's network in ONNX Runtime", "export")
    said = logging.getLogger("torch.onnx")
    level = said.level
    said.setLevel(logging.ERROR)  # torchvision is missing, and nothing here needs it
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(network, (image,), opset_version=OPSET, external_data=False, verbose=False)
    finally:
        said.setLevel(level)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
