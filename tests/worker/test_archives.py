"""A worker.zip that wants to be somewhere else, or too much."""

from __future__ import annotations

import random
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
from cloudburst_worker import archives
from cloudburst_worker.orders import Broken


def make(path: Path, entries: list[tuple[str, bytes, int]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content, mode in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = entry.orig_filename = name
            entry.external_attr = mode << 16
            entry.compress_type = compression
            archive.writestr(entry, content)
    return path


def test_files_keep_their_place_and_programs_their_right_to_run(tmp_path: Path) -> None:
    archive = make(
        tmp_path / "a.zip",
        [("a/b.py", b"x", 0o100644), ("solve", b"y", 0o100755), ("l", b"a/b.py", 0o120777)],
    )
    archives.unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/a/b.py").read_bytes() == (tmp_path / "out/l").read_bytes() == b"x"
    assert (tmp_path / "out/solve").stat().st_mode & 0o777 == 0o555
    assert (tmp_path / "out/a/b.py").stat().st_mode & 0o777 == 0o444
    archives.remove(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([("../outside", b"x", 0o100644)], "would leave the directory"),
        ([("/tmp/outside", b"x", 0o100644)], "would leave the directory"),
        ([("a/../../outside", b"x", 0o100644)], "would leave the directory"),
        ([("..\\outside", b"x", 0o100644)], "has a backslash or a NUL"),
        ([("a.py\0/../../outside", b"x", 0o100644)], "has a backslash or a NUL"),
        ([("", b"x", 0o100644)], "would leave the directory"),
        ([(".", b"x", 0o100644)], "would leave the directory"),
        ([("x" * 256, b"x", 0o100644)], "a name too long"),
        ([("ü" * 128, b"x", 0o100644)], "a name too long"),
        ([("/".join(["d" * 200] * 6), b"x", 0o100644)], "a name too long"),
        ([("null", b"", 0o020666)], "is no file, directory or link"),
        ([("disk", b"", 0o060666)], "is no file, directory or link"),
        ([("pipe", b"", 0o010666)], "is no file, directory or link"),
        ([("sock", b"", 0o140666)], "is no file, directory or link"),
        ([("long", b"a" * 2000, 0o120777)], "leads out of the directory"),
        ([("cut", b"a\0b", 0o120777)], "leads out of the directory"),
        ([("a", b"x", 0o100644), ("a/b", b"y", 0o100644)], "want the same place"),
        ([("d", b"..", 0o120777), ("d/outside", b"y", 0o100644)], "leads out of the directory"),
        ([("link", b"../outside", 0o120777)], "leads out of the directory"),
        ([("link", b"/etc/passwd", 0o120777)], "leads out of the directory"),
        ([("a", b"b/..", 0o120777), ("b", b"../..", 0o120777)], "leads out of the directory"),
        ([("link", b".", 0o120777), ("link/x", b"y", 0o100644)], "want the same place"),
        ([("a//b", b"x", 0o100644), ("a/b", b"y", 0o100644)], "has the entry 'a/b' twice"),
    ],
)
def test_an_archive_that_would_leave_is_refused(
    tmp_path: Path, entries: list[tuple[str, bytes, int]], sentence: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = make(home / "a.zip", entries)
    with pytest.raises(Broken, match=sentence):
        archives.unpack(archive, home / "out")
    assert not (tmp_path / "outside").exists()
    assert not (home / "outside").exists()


def test_an_archive_that_swells_is_refused_unopened(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", [("zeros", bytes(100 * 2**20), 0o100644)], zipfile.ZIP_DEFLATED)
    with pytest.raises(Broken, match="would unpack to 104857600 bytes"):
        archives.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"nonsense")
    with pytest.raises(Broken, match="cannot be read"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "out")


def altered(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """The archive with some bytes changed after every place where the signature stands."""
    data = bytearray(path.read_bytes())
    at = data.find(signature)
    while at >= 0:
        data[at + offset : at + offset + len(value)] = value
        at = data.find(signature, at + 1)
    path.write_bytes(data)
    return path


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", [("a", b"secret", 0o100644)])
    altered(archive, CENTRAL, 8, b"\x01\x00")
    with pytest.raises(Broken, match="'a' is encrypted"):
        archives.unpack(archive, tmp_path / "out")


def test_a_packing_that_nobody_needs_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", [("a", b"x" * 100, 0o100644)], zipfile.ZIP_LZMA)
    with pytest.raises(Broken, match="'a' is neither stored nor deflated"):
        archives.unpack(archive, tmp_path / "out")


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """The table of contents says 10 bytes; 100 MiB come out of it."""
    archive = make(tmp_path / "a.zip", [("zeros", bytes(100 * 2**20), 0o100644)], zipfile.ZIP_DEFLATED)
    altered(archive, CENTRAL, 24, struct.pack("<I", 10))
    with pytest.raises(Broken, match=r"cannot be read|larger than it says"):
        archives.unpack(archive, tmp_path / "out")
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*"))
    assert written <= 10


def test_a_name_that_differs_between_table_and_entry_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", [("innocent", b"x", 0o100644)])
    altered(archive, LOCAL, 30, b"../../xx")
    with pytest.raises(Broken, match="cannot be read"):
        archives.unpack(archive, tmp_path / "out")


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ENTRIES", 3)
    archive = make(tmp_path / "a.zip", [(f"f{n}", b"", 0o100644) for n in range(4)])
    with pytest.raises(Broken, match="in 4 entries"):
        archives.unpack(archive, tmp_path / "out")


def test_names_that_only_look_alike_keep_apart(tmp_path: Path) -> None:
    """Case and composition of letters: neither may put one file in the place of another."""
    names = ["Mod.py", "mod.py", "\u00e9.py", "e\u0301.py"]
    archive = make(tmp_path / "a.zip", [(name, name.encode(), 0o100644) for name in names])
    try:
        archives.unpack(archive, tmp_path / "out")
    except Broken as refused:  # where the system takes them for one
        assert "want the same place" in str(refused)  # noqa: PT017
        return
    assert {path.name: path.read_bytes().decode() for path in (tmp_path / "out").iterdir()} == {
        name: name for name in names
    }


def test_a_program_cannot_be_more_than_a_program(tmp_path: Path) -> None:
    archives.unpack(make(tmp_path / "a.zip", [("su", b"x", 0o106755)]), tmp_path / "out")
    assert (tmp_path / "out/su").stat().st_mode & 0o7777 == 0o555
    archives.remove(tmp_path / "out")


def test_damaged_bytes_are_refused_and_never_crash(tmp_path: Path) -> None:
    entries = [("a/b.py", b"x" * 50, 0o100644), ("l", b"a/b.py", 0o120777), ("solve", b"y" * 500, 0o100755)]
    whole = make(tmp_path / "whole.zip", entries, zipfile.ZIP_DEFLATED).read_bytes()
    chance, sentences = random.Random(3), []
    for number in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "a.zip").write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        out = tmp_path / "home" / f"out-{number}"
        try:
            archives.unpack(tmp_path / "a.zip", out)
        except Broken as refused:
            sentences.append(refused.sentence)
        archives.remove(out)
    assert all(sentences)
    assert len(sentences) > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "home", "whole.zip"]
    assert list((tmp_path / "home").iterdir()) == []
