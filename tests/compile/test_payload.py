"""worker.zip: the same bytes from the same files, and a sentence for what cannot go in."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import zipfile
from pathlib import Path

import pytest

from cloudburst.compile import archive, payload
from cloudburst.compile.payload import pack, pack_tree, survey_tree
from cloudburst.errors import CloudBurstError


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def codes(packed: payload.Payload) -> list[str]:
    return [problem.code for problem in packed.problems]


def test_a_copy_elsewhere_and_later_has_the_same_digest(tmp_path):
    first = tree(tmp_path / "a", {"net3.py": "x = 1\n", "data/b.inp": "b", "data/a.inp": "a"})
    second = tree(tmp_path / "ä b", {"data/a.inp": "a", "data/b.inp": "b", "net3.py": "x = 1\n"})
    os.utime(second / "net3.py", (0, 0))
    (second / "data/a.inp").chmod(0o600)
    assert pack(first, "lock").digest == pack(second, "lock").digest


def test_the_digest_is_that_of_the_written_file(tmp_path):
    packed = pack(tree(tmp_path / "w", {"net3.py": "x = 1\n"}), "six==1\n")
    packed.write(tmp_path / "worker.zip")
    written = (tmp_path / "worker.zip").read_bytes()
    assert (hashlib.sha256(written).hexdigest(), len(written)) == (packed.digest, packed.size)
    assert sorted(os.listdir(tmp_path)) == ["w", "worker.zip"]


def test_the_bytes_are_those_every_version_must_make(tmp_path):
    packed = pack(tree(tmp_path, {"net3.py": "x = 1\n", "größe.txt": "ß"}), "six==1\n")
    assert packed.digest == "cd6efd37dc64e1d14375326d5c23c4a4a5a422d23beb92b1b87115071b0df0cc"


def test_zipfile_reads_what_was_written(tmp_path):
    directory = tree(tmp_path / "w", {"solve": "#!/bin/sh\n", "größe/ä b.txt": "ß"})
    (directory / "solve").chmod(0o755)
    pack(directory, "lock text\n").write(tmp_path / "worker.zip")
    with zipfile.ZipFile(tmp_path / "worker.zip") as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [".cloudburst/lock.txt", "größe/ä b.txt", "solve"]
        assert opened.read(".cloudburst/lock.txt") == b"lock text\n"
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in opened.infolist()}
        assert modes == {".cloudburst/lock.txt": 0o644, "größe/ä b.txt": 0o644, "solve": 0o755}
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}


def test_a_zip_too_large_for_its_fields_is_still_a_zip(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_FIELD_32", 100)
    monkeypatch.setattr(archive, "_FIELD_16", 3)
    directory = tree(tmp_path / "w", {f"{i}.txt": str(i) * 90 * (i % 2 + 1) for i in range(6)})
    pack(directory, None).write(tmp_path / "worker.zip")
    with zipfile.ZipFile(tmp_path / "worker.zip") as opened:
        assert opened.testzip() is None
        assert {name: len(opened.read(name)) for name in opened.namelist()} == {
            f"{i}.txt": 90 * (i % 2 + 1) for i in range(6)
        }


def test_large_files_are_not_held(tmp_path, monkeypatch):
    directory = tree(tmp_path / "w", {"big.bin": "0123456789" * 1000, "small.txt": "s"})
    held = pack(directory, None)
    monkeypatch.setattr(archive, "_SMALL", 100)
    assert pack(directory, None).digest == held.digest


def test_a_file_that_changes_after_the_digest_is_noticed_and_leaves_nothing(tmp_path):
    directory = tree(tmp_path / "w", {"net3.py": "x = 1\n"})
    packed = pack(directory, None)
    (directory / "net3.py").write_text("x = 2\n")
    with pytest.raises(CloudBurstError, match="changed while it was being packed"):
        packed.write(tmp_path / "worker.zip")
    assert os.listdir(tmp_path) == ["w"]


def test_what_nobody_means_to_send_stays_home(tmp_path):
    names = [
        "__pycache__/a.pyc", "sub/__pycache__/b.pyc", "old.pyc", ".git/HEAD", "venv/bin/python", ".venv/x", ".DS_Store",
        ".cloudburst/net3/ledger.sqlite", ".ipynb_checkpoints/a", ".pytest_cache/a", ".mypy_cache/a", "a.egg-info/PKG", "a.cbplan", "a.cbstudy",
        "node_modules/a.js", ".net3.py.swp", "net3.py~", ".#net3.py", "#net3.py#", ".cloudburstignore",
    ]  # fmt: skip
    directory = tree(tmp_path, dict.fromkeys(names, "") | {"net3.py": "", "sub/kept.py": ""})
    assert pack(directory, None).files == ("net3.py", "sub/kept.py")


def test_cloudburstignore_decides(tmp_path):
    files = {".cloudburstignore": "*.dat\n!keep.dat\n", "a.dat": "", "keep.dat": "", "net3.py": ""}
    assert pack(tree(tmp_path, files), None).files == ("keep.dat", "net3.py")


def test_the_spec_its_lock_and_results_are_no_code(tmp_path):
    tree(tmp_path, {"ensemble.yaml": "", "ensemble.lock": "", "results/net3.csv": "", "net3.py": ""})
    apart = [tmp_path / "ensemble.yaml", tmp_path / "ensemble.lock", tmp_path / "results/net3.csv"]
    assert pack(tmp_path, None, leave_out=apart).files == ("net3.py",)


def test_a_link_inside_is_followed(tmp_path):
    directory = tree(tmp_path, {"data/a.inp": "A"})
    (directory / "a.inp").symlink_to("data/a.inp")
    (directory / "more").symlink_to("data")
    packed = pack(directory, None)
    assert (packed.files, packed.problems) == (("a.inp", "data/a.inp", "more/a.inp"), ())


def test_a_linked_worker_directory_is_as_good_as_the_real_one(tmp_path):
    real = tree(tmp_path / "real", {"a.py": "", "b/c.py": ""})
    (real / "link.py").symlink_to(real / "a.py")
    (tmp_path / "link").symlink_to(real)
    assert pack(tmp_path / "link", None).digest == pack(real, None).digest


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ("../secret.txt", "link-outside", "outside the directory"),
        ("nowhere", "broken-link", "does not exist"),
        (".", "link-loop", "a directory it lies in"),
    ],
)
def test_a_link_that_cannot_travel_is_named(tmp_path, target, code, says):
    (tmp_path / "secret.txt").write_text("s")
    directory = tree(tmp_path / "w", {"net3.py": ""})
    (directory / "link").symlink_to(target)
    packed = pack(directory, None)
    (problem,) = packed.problems
    assert (problem.code, problem.path, problem.severity) == (code, ("worker", "directory"), "error")
    assert says in problem.message
    assert packed.files == ("net3.py",)


def test_an_ignored_link_is_nobodys_business(tmp_path):
    directory = tree(tmp_path / "w", {"net3.py": "", ".cloudburstignore": "link\n"})
    (directory / "link").symlink_to("/etc")
    assert codes(pack(directory, None)) == []


def test_sockets_and_pipes_are_no_files(tmp_path, monkeypatch):
    directory = tree(tmp_path, {"net3.py": ""})
    os.mkfifo(directory / "pipe")
    monkeypatch.chdir(directory)  # the name of a socket may be no longer than 107 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.sock")
        packed = pack(directory, None)
    assert (packed.files, packed.problems) == (("net3.py",), ())


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    directory = tree(tmp_path, {"net3.py": "", "private.key": ""})
    really_open = Path.open

    def refuse(self, *args, **kwargs):  # permissions mean nothing to root, and tests may run as root
        if self.name == "private.key":
            raise PermissionError(13, "Permission denied")
        return really_open(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    packed = pack(directory, None)
    assert codes(packed) == ["unreadable-file"]
    assert packed.problems[0].message == '"private.key" cannot be read: permission denied'


def test_an_ignore_file_that_cannot_be_read_is_named(tmp_path):
    directory = tree(tmp_path, {"net3.py": ""})
    (directory / ".cloudburstignore").mkdir()
    assert codes(pack(directory, None)) == ["unreadable-file"]


def test_a_name_that_is_no_text_is_named(tmp_path):
    directory = tree(tmp_path, {"net3.py": ""})
    try:
        (directory / os.fsdecode(b"\xff.txt")).write_text("")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert codes(pack(directory, None)) == ["strange-name"]


def test_a_read_only_directory_is_packed(tmp_path):
    directory = tree(tmp_path / "w", {"net3.py": ""})
    (directory / "net3.py").chmod(0o444)
    directory.chmod(0o555)
    try:
        assert pack(directory, "").files == (".cloudburst/lock.txt", "net3.py")
    finally:
        directory.chmod(0o755)


def test_more_than_fifty_megabytes_is_worth_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(payload, "LARGE", 2_000)
    directory = tree(tmp_path / "net3", {"city.inp": "x" * 1900, "net3.py": "y" * 100})
    packed = pack(directory, None)
    (problem,) = packed.problems
    assert (problem.code, problem.severity) == ("large-payload", "warning")
    assert "city.inp (2 kB), net3.py (0 kB)" in problem.message
    assert "inputs:" in problem.hint


def test_empty_directories_are_left_out_as_git_does(tmp_path):
    directory = tree(tmp_path, {"net3.py": ""})
    (directory / "out").mkdir()
    assert pack(directory, None).files == ("net3.py",)


def test_a_tree_is_packed_the_same_way(tmp_path):
    directory = tree(tmp_path, {"b.csv": "b", "sub/a.csv": "a", "__pycache__/x.pyc": ""})
    assert pack_tree(directory, at=("inputs", "maps")).files == ("b.csv", "sub/a.csv")


def test_a_glob_takes_files_and_whole_directories(tmp_path):
    tree(tmp_path, {"b.csv": "b", "sub/a.csv": "a", "c.txt": "c", "venv/d.csv": "d"})
    found = survey_tree(
        tmp_path, [Path("b.csv"), Path("sub"), Path("sub/a.csv"), Path("venv/d.csv")], at=("inputs", "m")
    )
    assert found.packed().files == ("b.csv", "sub/a.csv")


def test_a_fingerprint_changes_with_the_files(tmp_path):
    tree(tmp_path, {"b.csv": "b", "a.csv": "a"})
    before = survey_tree(tmp_path, at=()).fingerprint()
    assert survey_tree(tmp_path, at=()).fingerprint() == before
    os.utime(tmp_path / "a.csv", ns=(time.time_ns(), 1))
    after = survey_tree(tmp_path, at=()).fingerprint()
    (tmp_path / "c.csv").write_text("")
    assert len({before, after, survey_tree(tmp_path, at=()).fingerprint()}) == 3
