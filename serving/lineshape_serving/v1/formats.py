"""An answer as the bytes of each media type."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshape.writers import axis_label, encode_table, entries_of
from lineshape_serving.v1 import parquet
from lineshape_serving.v1.negotiation import choose
from lineshape_serving.v1.verbs import Answer

Arrays: TypeAlias = dict[str, NDArray[Any]]
Writer: TypeAlias = Callable[[Answer], bytes]


def _json(answer: Answer) -> bytes:
    return msgspec.json.encode(answer.message)


def _table(ending: str) -> Writer:
    def write(answer: Answer) -> bytes:
        assert answer.axis is not None  # noqa: S101 - for the type checker; latents are not offered in these formats
        return encode_table(f"answer{ending}", answer.axis, answer.columns, answer.facts)

    return write


def _npy(answer: Answer) -> bytes:
    """One array, the points of the axis first and each spectrum after them; numbers alone, for NumPy."""
    rows = [np.asarray(values, np.float64) for values in answer.columns.values()]
    return _saved(np.stack(rows if answer.axis is None else [answer.axis.values, *rows]))


def _parquet(answer: Answer) -> bytes:
    assert answer.axis is not None  # noqa: S101 - as above
    entries = entries_of(answer.axis, answer.facts, "answer.parquet")
    return parquet.encode({axis_label(answer.axis): answer.axis.values, **answer.columns}, entries)


def _latents_csv(answer: Answer) -> bytes:
    """A row for each source, as the command line writes them."""
    text = io.StringIO()
    text.writelines(f"# {key}: {answer.facts[key]}\n" for key in ("bundle", "version", "digest"))
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", *answer.columns])
    rows = zip(*(column.tolist() for column in answer.columns.values()), strict=True)
    table.writerows([name, *row] for name, row in zip(_sources(answer.facts), rows, strict=True))
    return text.getvalue().encode("utf-8", errors="replace")


def _latents_npy(answer: Answer) -> bytes:
    return _saved(np.stack(list(answer.columns.values()), axis=1))


def _latents_parquet(answer: Answer) -> bytes:
    sources = np.array(_sources(answer.facts), np.str_)
    return parquet.encode({"file": sources, **answer.columns}, answer.facts)


def _sources(facts: Mapping[str, str]) -> list[str]:
    return [" ".join(value.split()) for key, value in facts.items() if key.partition(" ")[0] == "source"]


def _saved(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


SPECTRA: dict[str, Writer] = {
    "application/json": _json, "text/csv": _table(".csv"), "chemical/x-jcamp-dx": _table(".jdx"),
    "application/x-npy": _npy, "application/x-npz": _table(".npz"), parquet.MEDIA_TYPE: _parquet,
}  # fmt: skip
LATENTS: dict[str, Writer] = {
    "application/json": _json, "text/csv": _latents_csv, "application/x-npy": _latents_npy,
    parquet.MEDIA_TYPE: _latents_parquet,
}  # fmt: skip


def offered(latents: bool) -> dict[str, Writer]:
    """The media types of an answer and their writers, the usual one first."""
    known = LATENTS if latents else SPECTRA
    return {name: write for name, write in known.items() if name != parquet.MEDIA_TYPE or parquet.is_installed()}


def chosen(accept: str | None, latents: bool) -> tuple[str, Writer]:
    """The media type of an answer that the `Accept` header wants most, and its writer; raises like `choose`."""
    writers = offered(latents)
    media_type = choose(accept, list(writers))
    return media_type, writers[media_type]
