"""A worker.zip that wants to be somewhere else, or too much."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from cloudburst_worker import archives
from cloudburst_worker.orders import Broken


def make(path: Path, entries: list[tuple[str, bytes, int]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name)
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
        ([("..\\outside", b"x", 0o100644)], "would leave the directory"),
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
