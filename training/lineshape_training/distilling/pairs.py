"""Pairs of noise and the spectrum that a teacher makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor

from lineshape.files import write_atomically
from lineshape_training.diffusion.network import DiffusionNetwork
from lineshape_training.diffusion.samplers import Heun
from lineshape_training.family import CHANCE, Tensors

EVALUATIONS = 35  # of the teacher: 18 steps of Heun's sampler
CHUNK = 4000  # pairs in a file; a killed distillation draws at most so many again
BATCH = 1000


def drawn_pairs(teacher: DiffusionNetwork, tensors: Tensors, count: int, folder: Path, seed: int,
                progress: Callable[[int], object]) -> Tensors:  # fmt: skip
    """`noise` and `clean` [count, d] in the teacher's coordinates, and the `condition` of each.

    Conditions are drawn as a fit draws them; files of pairs that are there are read.

    Parameters
    ----------
    teacher : DiffusionNetwork
    tensors : tensors by name
        Of the fit.
    count : int
    folder : Path
    seed : int
    progress : callable
        Called with 1 for each file.
    """
    parts = []
    for number, size in enumerate(_sizes(count)):
        path = folder / f"pairs-{number}.safetensors"
        if not path.exists():
            write_atomically(path, save(_chunk(teacher, tensors, size, seed, number)))
        parts.append(load_file(path))
        progress(1)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _sizes(count: int) -> Iterator[int]:
    for begin in range(0, count, CHUNK):
        yield min(CHUNK, count - begin)


@torch.no_grad()
def _chunk(teacher: DiffusionNetwork, tensors: Tensors, size: int, seed: int, number: int) -> Tensors:
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(state >> 1))
    device = teacher.middle.device
    chances = tensors.get(CHANCE, torch.ones(len(tensors["condition"])))
    rows = torch.multinomial(chances.double(), size, replacement=True, generator=generator)
    condition = tensors["condition"][rows]
    noise = torch.randn(size, teacher.coordinates.size, generator=generator)
    batches = zip(torch.split(noise, BATCH), torch.split(condition, BATCH), strict=True)
    clean = torch.cat([_walked(teacher, z.to(device), told.to(device)).cpu() for z, told in batches])
    return {"noise": noise, "clean": clean, "condition": condition}


def _walked(teacher: DiffusionNetwork, noise: Float[Tensor, "n d"], condition: Float[Tensor, "n c"]) -> Tensor:
    return teacher.walked(noise, condition, Heun(teacher.path.schedule, EVALUATIONS))
