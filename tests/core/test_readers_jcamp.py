"""JCAMP-DX: every number form, the checks that catch damage, and another reader as oracle."""

from __future__ import annotations

import tracemalloc
import warnings
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.errors import ReadError
from lineshape.readers import parse_spectra, read_spectra, read_spectrum
from lineshape.readers._asdf import DIF, DUP, SQZ, AsdfError, decode

# The encoder turns the tables of the decoder round; the oracle below checks the tables themselves.
_FOLD = {
    form: {value: letter for letter, value in table.items()}
    for form, table in (("sqz", SQZ), ("dif", DIF), ("dup", DUP))
}


def _folded(value: int, form: str) -> str:
    digits = str(abs(value))
    sign = "-" if value < 0 else "+"
    return _FOLD[form][(sign if form != "dup" else "") + digits[0]] + digits[1:]


def _repeats(tokens: list[str]) -> list[str]:
    """Fold runs of one token into DUP form."""
    folded: list[str] = []
    for token in tokens:
        if folded and folded[-1][0] == token:
            folded[-1] = (token, folded[-1][1] + 1)
        else:
            folded.append((token, 1))
    return [token + (_folded(n, "dup") if n > 1 else "") for token, n in folded]


def encoded(values: list[int], form: str, a_line: int = 7) -> str:
    """Data lines of ``(X++(Y..Y))`` from x = 0 in steps of 1."""
    lines = []
    for start in range(0, len(values), a_line):
        chunk = values[start : start + a_line]
        if form == "affn":
            body = " ".join(map(str, chunk))
        elif form == "pac":
            body = "".join(f"{value:+d}" for value in chunk)
        elif form == "sqz":
            body = "".join(_folded(value, "sqz") for value in chunk)
        else:
            lines.append(_difference_line(values, start, a_line, repeat=form == "difdup"))
            continue
        lines.append(f"{start} {body}" if form == "affn" else f"{start}{body}")
    if form.startswith("dif"):
        lines.append(f"{len(values) - 1}{_folded(values[-1], 'sqz')}")  # the last Y-check
    return "\n".join(lines)


def _difference_line(values: list[int], start: int, a_line: int, repeat: bool) -> str:
    """A line in DIF form begins, after the first, with the last value of the line before."""
    begin = max(0, start - 1)
    chunk = values[begin : start + a_line]
    steps = [_folded(after - before, "dif") for before, after in pairwise(chunk)]
    return f"{begin}{_folded(chunk[0], 'sqz')}" + "".join(_repeats(steps) if repeat else steps)


def jcamp_file(values: list[int], form: str, **changed: object) -> bytes:
    head = {"TITLE": "made", "JCAMP-DX": "4.24", "DATA TYPE": "RAMAN SPECTRUM", "XUNITS": "1/CM", "YUNITS": "COUNTS",
            "XFACTOR": 1, "YFACTOR": 0.5,
            "FIRSTX": 0, "LASTX": len(values) - 1, "NPOINTS": len(values)} | changed  # fmt: skip
    records = "".join(f"##{key}={value}\n" for key, value in head.items())
    return f"{records}##XYDATA=(X++(Y..Y))\n{encoded(values, form)}\n##END=\n".encode()


forms = st.sampled_from(["affn", "pac", "sqz", "dif", "difdup"])
ordinates = st.lists(st.one_of(st.integers(-99999, 99999), st.integers(0, 2)), min_size=2, max_size=60)


@given(values=ordinates, form=forms)
def test_every_number_form_reads_back(values, form):
    (spectrum,) = parse_spectra(jcamp_file(values, form), "made.dx")
    np.testing.assert_array_equal(spectrum.intensities, np.array(values) * 0.5)
    np.testing.assert_array_equal(spectrum.axis.values, np.arange(len(values)))
    assert (spectrum.axis.modality, spectrum.axis.unit, spectrum.metadata["TITLE"]) == ("raman", "cm-1", "made")


def test_the_example_of_the_standard():
    # McDonald and Wilks 1988, section 5: one series in each form
    expected = [0, 0, 0, 0, 2, 4, 4, 4, 7, 5, 4, 4, 5, 5, 7, 10, 11, 11, 6, 5, 7, 6, 9, 9, 7]
    for line in (
        "99 0 0 0 0 2 4 4 4 7 5 4 4 5 5 7 10 11 11 6 5 7 6 9 9 7",
        "99+0+0+0+0+2+4+4+4+7+5+4+4+5+5+7+10+11+11+6+5+7+6+9+9+7",
        "99@@@@BDDDGEDDEEGA0A1A1FEGFIIG",
        "99@VBDUGEDTETGA0A1TFEGFITG",
        "99@%%%KK%%Lkj%J%KLJ%njKjL%k",
        "99@%UKT%TLkj%J%KLJ%njKjL%k",
    ):
        decoded = decode(line)
        assert decoded.x == 99
        assert decoded.y == expected, line


@pytest.mark.parametrize("line", ["", "1?", "1%", "1S", "1 2 x", "1AZ99999999"])
def test_a_line_in_no_form_is_an_error(line):
    with pytest.raises(AsdfError):
        decode(line)


def test_a_damaged_ordinate_fails_its_check():
    good = jcamp_file(list(range(0, 300, 7)), "dif").decode()
    line = good.index("\n6") + 3
    with pytest.raises(ReadError, match="Y-check"):
        parse_spectra((good[:line] + "9" + good[line:]).encode(), "bad.dx")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"NPOINTS": 41}, "NPOINTS says 41 points, the table holds 40"),
        ({"LASTX": 90}, "the line begins at"),
        ({"XUNITS": "HZ"}, "none of Lineshape's units"),
        ({"FIRSTX": "abc"}, "FIRSTX is 'abc'"),
        ({"YFACTOR": "inf"}, "should be finite"),
        ({"DATA TYPE": "SOMETHING"}, "pass modality"),
    ],
)
def test_headers_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ReadError, match=message):
        parse_spectra(jcamp_file(list(range(40)), "affn", **changed), "bad.dx")


def test_a_missing_line_is_noticed():
    lines = jcamp_file(list(range(40)), "affn", NPOINTS=33).decode().split("\n")
    del lines[13]
    with pytest.raises(ReadError, match="line 14: the line begins at"):
        parse_spectra("\n".join(lines).encode(), "bad.dx")


@pytest.mark.parametrize("pairs", ["400,1\n401,2\n402,3\n", "400, 1; 401, 2; 402, 3\n", "400 1 401 2\n402 3\n"])
def test_pairs_in_any_layout(pairs):
    head = "##TITLE=p\n##DATA TYPE=UV/VIS SPECTRUM\n##XUNITS=NANOMETERS\n##NPOINTS=3\n##XYPOINTS=(XY..XY)\n"
    (spectrum,) = parse_spectra(f"{head}{pairs}##END=\n".encode(), "pairs.jdx")
    assert spectrum.axis.values.tolist() == [400, 401, 402]
    assert spectrum.intensities.tolist() == [1, 2, 3]


READ = [
    ("PE1800.DX", 1, "ir", 3301, 4000, 700), ("SPECFILE.DX", 1, "ir", 1801, 400, 4000),
    ("ethanol.jdx", 1, "ir", 3570, 461.563, 3807.5),
    ("dupdec1.jdx", 1, "ir", 3951, 4400, 450), ("sqzdupd1.jdx", 1, "ir", 18669, 5000.0323, 499.95502),
    ("compound.jdx", 5, "ir", 1976, 4400, 450), ("blckpac1.jdx", 5, "uv-vis", 176, 700, 350),
    ("OceanOptics_comma.jdx", 3, "uv-vis", 3648, 176.36, 893.69),
    ("tannic_acid.jdx", 1, "raman", 1949, 100.595, 2854.713),
    ("example_compound_file.jdx", 2, "ir", 2074, 11995.21, 3999.691),
    ("example_multiline_datasets.jdx", 1, "ir", 1919, 401.127686, 7798.848633),
]  # fmt: skip


@pytest.mark.parametrize(("name", "blocks", "modality", "points", "first", "last"), READ)
def test_files_of_many_instruments(shared_data: Path, name, blocks, modality, points, first, last):
    read = read_spectra(shared_data / "vendor" / "jcamp" / name)
    axis = read[0].axis
    assert (len(read), axis.modality, len(axis), axis.first, axis.last) == (blocks, modality, points, first, last)


ALIKE = ["PE1800.DX", "dupdec1.jdx", "SPECFILE.DX", "emodine.jdx", "pacdec1.jdx", "ethanol.jdx", "tannic_acid.jdx"]


def oracle_read(path: Path) -> dict[str, np.ndarray]:
    oracle = pytest.importorskip("jcamp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return oracle.read(line.partition("$$")[0] for line in path.read_text("latin-1").splitlines())


@pytest.mark.parametrize("name", ALIKE)
def test_another_reader_agrees(shared_data: Path, name):
    path = shared_data / "vendor" / "jcamp" / name
    other = oracle_read(path)
    # the oracle takes the abscissas that the lines print, rounded to 6 digits or less
    np.testing.assert_allclose(read_spectrum(path, "ir").intensities, other["y"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(read_spectrum(path, "ir").axis.values, other["x"], rtol=1e-4)


@pytest.mark.parametrize("name", ["BRUKDIF.DX", "sqzdec1.jdx", "BRUKAFFN.DX"])
def test_nmr_decodes_as_another_reader_has_it_but_its_unit_is_refused(shared_data: Path, name):
    path = shared_data / "vendor" / "jcamp" / name
    with pytest.raises(ReadError, match="'HZ'"):
        read_spectra(path, "nmr")
    (spectrum,) = parse_spectra(path.read_bytes().replace(b"XUNITS= HZ", b"XUNITS= 1/CM"), name, "nmr")
    np.testing.assert_array_equal(spectrum.intensities, oracle_read(path)["y"])


def test_peak_tables_are_refused(shared_data: Path):
    with pytest.raises(ReadError, match="table of peaks"):
        read_spectra(shared_data / "vendor" / "jcamp" / "ethanol_ms.jdx")


HEAD = "##TITLE=t\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n##FIRSTX=0\n##DELTAX=1\n"
TABLE = "##XYDATA=(X++(Y..Y))\n"
BOMBS = {
    "one line": HEAD + TABLE + "100A" + "Z99999" * 220 + "\n##END=\n",
    "many lines": HEAD + TABLE + "100AZ99999\n" * 220 + "##END=\n",
    "many blocks": (HEAD + TABLE + "0AZ99999\n##END=\n") * 220,
    "differences": HEAD + TABLE + "0A" + "JZ99999" * 220 + "\n##END=\n",
}


@pytest.mark.parametrize("case", BOMBS)
def test_repeats_that_stand_for_more_than_a_file_may_hold_are_refused_before_they_are_made(case):
    tracemalloc.start()
    with pytest.raises(ReadError, match="cannot repeat"):
        parse_spectra(BOMBS[case].encode(), "bomb.dx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


def test_a_record_of_many_lines_takes_a_time_in_proportion():
    """200,000 further lines, each of which was once appended to a copy of those before it."""
    content = f"{HEAD}##OWNER=a\n{'b' * 99}\n" + f"{'b' * 99}\n" * 200_000 + TABLE + "0 1 2\n##END=\n"
    began = process_time()
    (spectrum,) = parse_spectra(content.encode(), "long.dx")
    assert process_time() - began < 5
    assert spectrum.metadata["OWNER"] == " ".join(["a", *["b" * 99] * 200_001])


def test_more_blocks_than_asked_for_are_refused():
    content = (HEAD + TABLE + "0 1 2\n##END=\n").encode()
    assert len(parse_spectra(content * 3, "three.dx", most=3)) == 3
    with pytest.raises(ReadError, match="holds 3 spectra, more than 2"):
        parse_spectra(content * 3, "three.dx", most=2)
