"""Answers that were given before."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineshape_serving.cache import Cache


def answer(n):
    return {"y": np.full(n, n, np.float32)}


@given(asked=st.lists(st.integers(1, 30), max_size=60), room=st.integers(0, 400))
def test_it_never_holds_more_than_it_has_room_for_and_what_it_gives_is_right(asked, room):
    cache = Cache(room)
    held = []  # the oracle: latest last
    for n in asked:
        key = str(n).encode()
        found = cache.get(key)
        assert (found is not None) == (n in held)
        if found is not None:
            np.testing.assert_array_equal(found["y"], answer(n)["y"])
            held.remove(n)
            held.append(n)
        elif 4 * n <= room:
            held.append(n)
        cache.put(key, answer(n))
        while sum(4 * each for each in held) > room:
            held.pop(0)


def test_a_key_is_of_the_model_and_of_every_byte():
    x = np.zeros((2, 3), np.float32)
    base = Cache.key("m", {"a": x})
    different = [
        Cache.key("n", {"a": x}), Cache.key("m", {"b": x}), Cache.key("m", {"a": x.reshape(3, 2)}),
        Cache.key("m", {"a": x.astype(np.int32)}), Cache.key("m", {"a": x + np.float32(1e-30)}),
        Cache.key("m", {"a": x, "b": x}),
    ]  # fmt: skip
    assert len({base, *different}) == 7
    assert Cache.key("m", {"b": x, "a": x + 1}) == Cache.key("m", {"a": x + 1, "b": x})


def test_what_is_kept_does_not_keep_the_batch_that_it_travelled_in():
    cache, batch = Cache(1000), np.zeros((100, 4), np.float32)
    cache.put(b"k", {"y": batch[:1]})
    assert cache.get(b"k")["y"].base is None
