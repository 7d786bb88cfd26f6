"""Who may ask, for what, and how much."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

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
    with pytest.raises(UsageError, match="send smaller batches"):
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


@pytest.mark.parametrize("name", ["no spaces", 'a b"c', "", "-a", "ä", "a" * 64, "a\n", "."])
def test_a_name_that_is_none_is_refused_in_words(file, name):
    words = r"cannot be the name of a key: that has 1 to 63 letters, digits, '\.', '_' or '-', and begins with"
    with pytest.raises(UsageError, match=words):
        add_key(file, name, ["infer"], None)
    assert list(file.parent.iterdir()) == []
    file.write_bytes(msgspec.toml.encode({name: Key("0" * 64)}))
    with pytest.raises(UsageError, match=words):
        read_keys(file)


def test_whoever_adds_and_removes_at_once_loses_nothing(file):
    old, new = ([f"{word}-{number}" for number in range(8)] for word in ("old", "new"))
    for name in old:
        add_key(file, name, ["infer"], None)
    with ThreadPoolExecutor(16) as threads:
        made = [threads.submit(add_key, file, name, ["infer"], None) for name in new]
        gone = [threads.submit(remove_key, file, name) for name in old]
    assert [each.exception() for each in made + gone] == [None] * 16
    assert sorted(read_keys(file)) == new
    gate = Gate(read_keys(file))
    assert [gate.admit(f"Bearer {each.result()}", "infer").name for each in made] == new


def test_a_link_to_the_file_stays_one(file, tmp_path):
    link = tmp_path / "elsewhere" / "link.toml"
    link.parent.mkdir()
    link.symlink_to(file)
    add_key(link, "a", ["infer"], None)
    add_key(file, "b", ["infer"], None)
    remove_key(link, "a")
    assert link.is_symlink()
    assert list(read_keys(file)) == ["b"]
    assert list(link.parent.iterdir()) == [link]
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(UsageError, match=r"keys\.toml: a link that leads to itself"):
        add_key(file, "c", ["infer"], None)


def test_nobody_else_reads_the_file(file):
    file.touch(0o644)
    file.write_bytes(msgspec.toml.encode({"a": Key("0" * 64)}))
    add_key(file, "b", ["infer"], None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_to_remove_a_key_from_no_file_leaves_nothing_behind(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        remove_key(tmp_path / "folder" / "keys.toml", "a")
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_lists_and_removes_keys(tmp_path):
    made = lineshape(tmp_path, "keys", "add", "keys.toml", "lab", "--scope", "infer", "--quota", "100")
    assert (made.returncode, made.stderr) == (0, "")
    assert Gate(read_keys(tmp_path / "keys.toml")).admit(f"Bearer {made.stdout.strip()}", "infer").name == "lab"
    assert lineshape(tmp_path, "keys", "list", "keys.toml").stdout == "lab: infer, 100 spectra a minute\n"
    assert lineshape(tmp_path, "keys", "add", "keys.toml", "x", "--scope", "root").returncode == 2
    assert lineshape(tmp_path, "keys", "remove", "keys.toml", "lab").returncode == 0
    assert msgspec.toml.decode((tmp_path / "keys.toml").read_bytes()) == {}
