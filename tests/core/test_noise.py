"""Seeded noise equals the published vectors and depends on nothing but (seed, index, stream)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape import noise

# Known-answer vectors of Random123 (kat_vectors, philox4x32 10): counter, key, words.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def hexes(text: str) -> np.ndarray:
    return np.array([int(word, 16) for word in text.split()], np.uint64)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_equals_the_published_vectors(counter: str, key: str, words: str) -> None:
    assert noise.philox(hexes(counter), hexes(key)).tolist() == hexes(words).tolist()


@given(seed=st.integers(0, 2**53), index=st.integers(0, 2**40), n=st.integers(1, 9), count=st.integers(1, 33))
def test_a_sample_does_not_depend_on_its_batch(seed: int, index: int, n: int, count: int) -> None:
    batch = noise.normals(noise.seeds(seed, n, first=index), count)
    alone = noise.normals(noise.seeds(seed, 1, first=index + n - 1), count)
    assert np.array_equal(batch[-1:], alone)


@given(count=st.integers(1, 40))
def test_asking_for_more_normals_leaves_the_first_as_they_were(count: int) -> None:
    rows = noise.seeds(3, 2)
    assert np.array_equal(noise.normals(rows, 41)[:, :count], noise.normals(rows, count))


def test_normals_are_standard_normal() -> None:
    drawn = noise.normals(noise.seeds(7, 1000), 1000)
    # Standard errors of a million draws: .001 (mean), .0007 (deviation), .0049 (kurtosis); five of each, or more.
    assert abs(drawn.mean()) < 0.005
    assert abs(drawn.std() - 1) < 0.0035
    assert abs((drawn**4).mean() - 3) < 0.05


def test_streams_and_seeds_are_unrelated() -> None:
    rows = noise.seeds(1, 200)
    latent, detector = noise.normals(rows, 500), noise.normals(rows, 500, noise.DETECTOR)
    other = noise.normals(noise.seeds(2, 200), 500)
    # Correlation of 100,000 unrelated pairs has a standard error of .0032; five of them.
    for a, b in [(latent, detector), (latent, other), (latent[:, :-1], latent[:, 1:])]:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.016
