"""Who may ask, for what, and how much."""

from __future__ import annotations

import msgspec
import pytest
from services import lineshape

from lineshape.errors import AccessError, ForbiddenError, QuotaError, UsageError
from lineshape_serving.access import Caller, Gate, Key, add_key, read_keys, remove_key


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys.toml"


def test_without_keys_everyone_may_do_everything():
    for scope in ("infer", "admin"):
        assert Gate().admit(None, scope).name == "anyone"
    Gate().admit("Bearer whatever", "infer").charge(10**9)


def test_a_key_opens_what_its_scopes_name_and_its_file_holds_only_a_hash(file):
    secret = add_key(file, "spectrometer-1", ["infer"], None)
    other = add_key(file, "operator", ["infer", "admin"], 600)
    assert secret not in file.read_text()
    gate = Gate(read_keys(file))
    assert gate.admit(f"Bearer {secret}", "infer").name == "spectrometer-1"
    assert gate.admit(f"bearer  {other}", "admin").name == "operator"
    with pytest.raises(ForbiddenError, match="'spectrometer-1' may not do this: it lacks the right 'admin'"):
        gate.admit(f"Bearer {secret}", "admin")


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer wrong", "Bearer \xe4"])
def test_anything_but_a_known_key_is_refused(file, given):
    add_key(file, "a", ["infer"], None)
    with pytest.raises(AccessError, match="Authorization: Bearer KEY"):
        Gate(read_keys(file)).admit(given, "infer")


def test_a_key_that_was_removed_opens_nothing(file):
    gone, kept = (add_key(file, name, ["infer"], None) for name in ("gone", "kept"))
    remove_key(file, "gone")
    gate = Gate(read_keys(file))
    gate.admit(f"Bearer {kept}", "infer")
    with pytest.raises(AccessError, match="nobody knows this key"):
        gate.admit(f"Bearer {gone}", "infer")


def test_a_quota_fills_evenly_and_holds_a_minute():
    now = 0.0
    caller = Caller("a", Key("0" * 64, quota=60), clock=lambda: now)
    caller.charge(60)
    with pytest.raises(QuotaError, match="there is room for 10 in 10 s") as refused:
        caller.charge(10)
    assert refused.value.retry_after == pytest.approx(10)
    now = 10.0
    caller.charge(10)
    now = 1000.0
    caller.charge(60)  # never more than a minute's worth
    with pytest.raises(QuotaError):
        caller.charge(1)


def test_a_batch_that_no_quota_would_ever_allow_says_so():
    with pytest.raises(QuotaError, match="send smaller batches"):
        Caller("a", Key("0" * 64, quota=5)).charge(6)


@pytest.mark.parametrize("content", ["", "[a]\nsha256 = 'short'\n", "[a]\nkey = 'secret'\n", "nonsense", "\xff"])
def test_a_damaged_file_is_refused_by_name(file, content):
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"keys\.toml"):
        read_keys(file)


def test_a_name_is_given_once(file):
    add_key(file, "a", ["infer"], None)
    with pytest.raises(UsageError, match="key 'a' is there"):
        add_key(file, "a", ["infer"], None)
    with pytest.raises(UsageError, match="no key 'b'; there are a"):
        remove_key(file, "b")
    with pytest.raises(UsageError, match="cannot be kept"):
        add_key(file, "no spaces", ["infer"], None)


def test_the_command_makes_lists_and_removes_keys(tmp_path):
    made = lineshape(tmp_path, "keys", "add", "keys.toml", "lab", "--scope", "infer", "--quota", "100")
    assert (made.returncode, made.stderr) == (0, "")
    assert Gate(read_keys(tmp_path / "keys.toml")).admit(f"Bearer {made.stdout.strip()}", "infer").name == "lab"
    assert lineshape(tmp_path, "keys", "list", "keys.toml").stdout == "lab: infer, 100 spectra a minute\n"
    assert lineshape(tmp_path, "keys", "add", "keys.toml", "x", "--scope", "root").returncode == 2
    assert lineshape(tmp_path, "keys", "remove", "keys.toml", "lab").returncode == 0
    assert msgspec.toml.decode((tmp_path / "keys.toml").read_bytes()) == {}
