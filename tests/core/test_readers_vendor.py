"""Files as instruments write them: facts about each that is read, the name of each that is not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lineshape.errors import LineshapeError, MissingExtra, ReadError
from lineshape.readers import FORMATS, parse_spectra, read_spectra, read_spectrum

# file, modality given, spectra, points, first, last, unit, laser
READ = [
    ("labspec/LiNbWO6-0-H.txt", "raman", 1, 1024, 12.5879, 1726.52, "cm-1", 532.0),
    ("labspec/spectrum_nm.txt", "raman", 1, 1877, 425.071, 624.94, "nm", 405.0),
    ("labspec/raman_linescan.txt", "raman", 100, 1020, 599.432, 86.957, "cm-1", 532.0),
    ("bwtek/PST02_iRPlus785_Z050_075_3200ms.txt", None, 7, 1743, -42.14, 3000.64, "cm-1", 784.82),
    ("other_raman_txt/PST_532nm_EZI860.txt", None, 3, 2048, -1108.755, 4744.711, "cm-1", 532.0),
    ("other_raman_txt/polystyrene_aritficially_worsened.tsv", "raman", 1, 2290, 100, 2389, "cm-1", 785.0),
    ("witec/PST_WiICV532_Z050OP02_075_800msx10.txt", "raman", 1, 1024, -42.754, 3852.199, "cm-1", None),
    ("wdf/nCal_Qontor785_z005H12_100_1x3s.txt", "raman", 1, 1021, 1111.108, -154.502, "cm-1", None),
    ("wdf/nCal_Qontor785_z005H12_100_1x3s.wdf", None, 1, 1021, 1111.108, -154.502, "cm-1", 785.0),
    ("wdf/interrupted_acquisition.wdf", None, 12, 1010, 1128.625, -163.693, "cm-1", 532.2),
    ("wdf/renishaw_test_map.wdf", "raman", 9, 47, 350.677, 346.773, "nm", 325.0),
    ("avantes/avantes_export.ttt", "uv-vis", 1, 401, 300, 700, "nm", None),
    ("avantes/avasoft8.txt", "uv-vis", 4, 401, 300, 700, "nm", None),
    ("oceanoptics/OO_comma.txt", "uv-vis", 1, 2048, 178.23, 884.34, "nm", None),
    ("oceanoptics/OceanView.txt", "uv-vis", 1, 2389, 187.92, 2116.5, "nm", None),
    ("oceanoptics/jazspec.jaz", "uv-vis", 4, 2048, 190.8535, 886.439331, "nm", None),
    ("cary/filters.csv", "uv-vis", 11, 121, 800.054, 199.965, "nm", None),
    ("jasco/PbSe batch 1.txt", "uv-vis", 1, 1801, 2500, 700, "nm", None),
    ("perkinelmer/3DM_test01.Probe.Raw.asc", "uv-vis", 1, 281, 1900, 500, "nm", None),
    ("shimadzu/MoS2_fromCzech2015.txt", "uv-vis", 1, 821, 340, 750, "nm", None),
    ("opus/peach_juice.dpt", "ir", 1, 1816, 4000.1161, 499.53234, "cm-1", None),
    ("xrd/xy_text.txt", "xrd", 1, 4001, 20, 100, "deg 2theta", None),
    ("xrd/LaB6_d500_si_psd.xye", "xrd", 1, 17381, 4.57208, 150.578, "deg 2theta", None),
]
REFUSED = [
    ("labspec/PST10_iR785_OP01_8000msx8.l6s", "LabSpec 6"), ("labspec/jobinyvon_test_spec_3s_eV.xml", "LabSpec XML"),
    ("spc/RAMAN.SPC", "Galactic SPC"), ("spa/spectre.SPA", "OMNIC"), ("andor/measurement.sif", "Andor SIF"),
    ("perkinelmer/single_PE_spectrum.sp", "PerkinElmer"), ("avantes/avantes_trans.TRM", "AvaSoft"),
    ("trivista/spec_1s_1acc_1frame_average.tvf", "TriVista"), ("xrd/BT86.raw", "Bruker RAW"),
    ("xrd/simpack_xrd_AlGaAs.xrdml", "XRDML"), ("xrd/TwoTheta_scan_powder.rasx", "RASX"),
    ("xrd/23-012-AG_2thomegascan_long.brml", "BRML"), ("xrd/PSI_DMC.dat", "neither rises nor falls"),
    ("andor/kinetic.asc", "repeat"), ("README.md", "no row"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "modality", "spectra", "points", "first", "last", "unit", "laser"), READ)
def test_exports_are_read(shared_data: Path, name, modality, spectra, points, first, last, unit, laser):
    read = read_spectra(shared_data / "vendor" / name, modality)
    axis = read[0].axis
    assert (len(read), len(axis), axis.unit) == (spectra, points, unit)
    assert (axis.first, axis.last) == pytest.approx((first, last), abs=1e-3)  # the table above has three digits
    assert axis.laser_nm == (None if laser is None else pytest.approx(laser, abs=0.1))


@pytest.mark.parametrize(("name", "named"), REFUSED)
def test_closed_formats_are_refused_by_name(shared_data: Path, name, named):
    with pytest.raises(ReadError, match=named):
        read_spectra(shared_data / "vendor" / name, "raman")


def test_no_file_of_any_vendor_raises_anything_but_our_errors(shared_data: Path):
    files = [path for path in sorted((shared_data / "vendor").rglob("*")) if path.is_file() and path.suffix != ".0000"]
    assert len(files) > 100
    for path in files:
        try:
            read = read_spectra(path, "raman")
        except LineshapeError:
            continue
        assert all(len(spectrum) >= 2 for spectrum in read)


def test_wdf_agrees_with_the_text_that_the_instrument_exported(shared_data: Path):
    folder = shared_data / "vendor" / "wdf"
    binary = read_spectrum(folder / "nCal_Qontor785_z005H12_100_1x3s.wdf")
    text = read_spectrum(folder / "nCal_Qontor785_z005H12_100_1x3s.txt", "raman")
    np.testing.assert_allclose(binary.axis.values, text.axis.values, atol=1e-5)  # the text has six decimals
    np.testing.assert_allclose(binary.intensities, text.intensities, atol=1e-5)


@pytest.mark.parametrize("name", ["renishaw_test_zscan", "renishaw_test_timeseries", "sp", "renishaw_test_linescan"])
def test_wdf_agrees_with_another_reader(shared_data: Path, name, capsys):
    oracle = pytest.importorskip("renishawWiRE")
    path = shared_data / "vendor" / "wdf" / f"{name}.wdf"
    other = oracle.WDFReader(str(path))
    other.close()
    read = read_spectra(path, "raman")
    np.testing.assert_array_equal(read[0].axis.values, other.xdata.astype(np.float64))
    np.testing.assert_array_equal(np.stack([s.intensities for s in read]), np.reshape(other.spectra, (len(read), -1)))


@pytest.mark.parametrize("keep", [4, 100, 600, 2000])
def test_a_cut_off_wdf_is_a_read_error(shared_data: Path, keep):
    content = (shared_data / "vendor" / "wdf" / "sp.wdf").read_bytes()
    with pytest.raises(ReadError):
        parse_spectra(content[:keep], "sp.wdf")


@pytest.mark.parametrize(
    ("name", "modality", "points"), [("test_opus.0", "raman", 4096), ("issue81_A1.1.0", "ir", 1866)]
)
def test_opus_through_brukeropus(shared_data: Path, name, modality, points):
    pytest.importorskip("brukeropus")
    spectrum = read_spectrum(shared_data / "vendor" / "opus" / name)
    assert (spectrum.axis.modality, spectrum.axis.unit, len(spectrum)) == (modality, "cm-1", points)


def test_opus_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "brukeropus", None)
    with pytest.raises(MissingExtra, match=r"lineshape\[instruments\]"):
        parse_spectra(b"\x0a\x0a\xfe\xfe" + bytes(100), "scan.0")


def test_a_signalling_nan_in_a_wdf_is_a_read_error(shared_data: Path):
    content = bytearray((shared_data / "vendor" / "wdf" / "single-spectrum_undefined-type.wdf").read_bytes())
    at = content.index(b"DATA") + 16 + 40
    content[at : at + 4] = b"\x01\x00\x80\x7f"
    with pytest.raises(ReadError, match="NaN"):
        parse_spectra(bytes(content), "s.wdf")


def test_every_format_has_a_name_of_its_own():
    names = [row.name for row in FORMATS]
    assert len(names) == len(set(names))
