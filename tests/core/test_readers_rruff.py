"""RRUFF text files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshape.readers import parse_spectra, read_spectrum

HEADER = "##NAMES=Quartz\n##RRUFFID=R040031\n##IDEAL CHEMISTRY=SiO_2_\n##LOCALITY=Spruce Claim\n"
NAME = "Quartz__R040031__Raman__532__0__unoriented__Raman_Data_Processed__123.txt"


@pytest.mark.parametrize("separator", [", ", "\t", ","])
def test_header_and_file_name_become_metadata(separator):
    text = HEADER + "".join(f"{100 + i * 0.5:.4f}{separator}{i * 1.5:.7E}\r\n" for i in range(20)) + "##END=\n\n\n"
    (spectrum,) = parse_spectra(text.encode(), NAME)
    assert (spectrum.axis.modality, spectrum.axis.unit, spectrum.axis.laser_nm) == ("raman", "cm-1", 532.0)
    assert (len(spectrum), spectrum.axis.first, spectrum.axis.last) == (20, 100.0, 109.5)
    assert spectrum.metadata["NAMES"] == "Quartz"
    assert spectrum.metadata["RRUFFID"] == "R040031"
    assert spectrum.metadata["processing"] == "Processed"
    assert spectrum.notes == ()


def test_infrared_comes_without_header_and_padded():
    rows = "".join(f"{400 + i},{i}\n" for i in range(5)) + "0.0e+00,0.0e+00\n" * 3
    (spectrum,) = parse_spectra(rows.encode(), "Quartz__R040031-1__Infrared__Infrared_Data_Processed__1.txt")
    assert (spectrum.axis.modality, len(spectrum), spectrum.axis.last) == ("ir", 5, 404.0)
    assert "Dropped 3 rows of 0, 0" in spectrum.notes[0]


def test_powder_diffraction_carries_its_wavelength():
    text = (
        HEADER + "##X-RAY WAVELENGTH=1.541838\n" + "".join(f"{5 + i / 100:.2f}, {i}\n" for i in range(9)) + "##END=\n"
    )
    (spectrum,) = parse_spectra(text.encode(), "Quartz__R040031-9__Powder__Xray_Data_XY_Processed__9.txt")
    assert (spectrum.axis.modality, spectrum.axis.unit, spectrum.axis.xray_angstrom) == ("xrd", "deg 2theta", 1.541838)


def test_every_shared_file_is_read(shared_data: Path):
    files = sorted((shared_data / "rruff" / "text").rglob("*.txt"))
    assert len(files) == 94
    for path in files:
        spectrum = read_spectrum(path)
        assert spectrum.axis.unit == "cm-1"
        assert spectrum.metadata["RRUFFID"] == path.name.split("__")[1][:7]
        if "__Raman__" in path.name:
            assert spectrum.axis.laser_nm == float(path.name.split("__")[3])


def test_facts_of_two_files(shared_data: Path):
    folder = shared_data / "rruff" / "text"
    raman = read_spectrum(next((folder / "raman").glob("Durangite__R120118*")))
    assert (len(raman), raman.axis.first, raman.axis.last) == pytest.approx((2309, 190.29, 1303.016), abs=1e-3)
    ir = read_spectrum(next((folder / "ir").glob("Azurite__R050638*")))
    assert (len(ir), ir.axis.first, ir.axis.last) == pytest.approx((1868, 399.193, 3999.64), abs=1e-3)
