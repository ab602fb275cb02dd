"""Inputs found beside the spec: their digests, what is remembered of them, and sentences for the rest."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from cloudburst.errors import CloudBurstError
from cloudburst.run import inputs as room
from cloudburst.run.inputs import HashCache, ResolvedInput, resolve_inputs
from cloudburst.spec.ensemble import Input

OLD = 1_500_000_000


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, (OLD, OLD))
    return root


def resolve(base: Path, pattern: str, cache: HashCache | None = None):
    return resolve_inputs([Input("maps", pattern, ("inputs", "maps"))], base, cache or HashCache(None))


def one(base: Path, pattern: str) -> ResolvedInput:
    resolved = resolve(base, pattern)
    assert resolved.problems == ()
    return resolved.found[0]


def names(found: ResolvedInput) -> tuple[str, ...]:
    assert found.tree is not None
    return found.tree.files


def test_a_file(tmp_path):
    tree(tmp_path, {"data/city ä.inp": "pipes"})
    found = one(tmp_path, "data/city ä.inp")
    assert found.sha256 == hashlib.sha256(b"pipes").hexdigest()
    assert (found.kind, found.shown, found.size) == ("file", "city ä.inp", 5)


def test_a_directory_is_a_zip(tmp_path):
    tree(tmp_path, {"data/a.inp": "a", "data/sub/b.inp": "b"})
    found = one(tmp_path, "data")
    assert (found.kind, found.shown, names(found)) == ("tree", "data", ("a.inp", "sub/b.inp"))
    found.tree.write(tmp_path / "data.zip")
    assert hashlib.sha256((tmp_path / "data.zip").read_bytes()).hexdigest() == found.sha256
    assert zipfile.ZipFile(tmp_path / "data.zip").testzip() is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/*.inp", ("a.inp",)),
        ("data/**/*.inp", ("a.inp", "sub/b.inp")),
        ("data/s*", ("sub/b.inp", "sub/c.txt")),
        ("*/a.???", ("data/a.inp",)),
    ],
)
def test_a_glob(tmp_path, pattern, expected):
    tree(tmp_path, {"data/a.inp": "a", "data/sub/b.inp": "b", "data/sub/c.txt": "c"})
    assert names(one(tmp_path, pattern)) == expected


def test_a_name_with_a_star_in_it_is_a_name_first(tmp_path):
    tree(tmp_path, {"a[1].inp": "x", "a1.inp": "y"})
    assert one(tmp_path, "a[1].inp").kind == "file"


def test_what_jobs_and_orders_want(tmp_path):
    tree(tmp_path, {"a.inp": "a"})
    resolved = resolve(tmp_path, "a.inp")
    digest = hashlib.sha256(b"a").hexdigest()
    assert resolved.digests == {"maps": digest}
    assert resolved.of_order == {digest: {"name": "a.inp", "kind": "file"}}


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("data/cty.inp", 'did you mean "data/city.inp"?'),
        ("dta/city.inp", 'did you mean "data/city.inp"?'),
        ("nothing/like/it", "the path is relative to the ensemble file"),
    ],
)
def test_what_is_not_there(tmp_path, pattern, hint):
    tree(tmp_path, {"data/city.inp": "x"})
    (problem,) = resolve(tmp_path, pattern).problems
    assert (problem.code, problem.path, problem.severity) == ("no-input", ("inputs", "maps"), "error")
    assert problem.hint == hint


@pytest.mark.parametrize("pattern", ["data/*.csv", "nowhere/*.csv"])
def test_a_glob_that_matches_nothing(tmp_path, pattern):
    tree(tmp_path, {"data/city.inp": "x"})
    (problem,) = resolve(tmp_path, pattern).problems
    assert problem.message.startswith(f'"{pattern}" matches no')


def test_outside_the_project_is_allowed_and_said(tmp_path):
    tree(tmp_path, {"city.inp": "x", "study/ensemble.yaml": ""})
    resolved = resolve(tmp_path / "study", "../city.inp")
    assert [(p.code, p.severity) for p in resolved.problems] == [("input-outside", "note")]
    assert resolved.found[0].shown == "city.inp"


def test_a_link_out_of_a_directory_is_an_error(tmp_path):
    tree(tmp_path, {"data/a.inp": "a", "secret": "s"})
    (tmp_path / "data/link").symlink_to("../secret")
    assert [(p.code, p.path) for p in resolve(tmp_path, "data").problems] == [
        ("link-outside", ("inputs", "maps"))
    ]


@pytest.mark.parametrize("pattern", ["data/a.inp", "data"])
def test_what_is_written_is_what_was_hashed(tmp_path, pattern):
    tree(tmp_path, {"data/a.inp": "a"})
    found = one(tmp_path, pattern)
    found.write(tmp_path / "object")
    assert hashlib.sha256((tmp_path / "object").read_bytes()).hexdigest() == found.digest
    (tmp_path / "object").unlink()
    (tmp_path / "data/a.inp").write_text("b")
    with pytest.raises(CloudBurstError, match="changed"):
        found.write(tmp_path / "object")
    assert not (tmp_path / "object").exists()


# ── what is remembered ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("pattern", ["big.bin", "data", "data/*.inp"])
def test_a_digest_is_computed_once(tmp_path, monkeypatch, pattern):
    tree(tmp_path, {"big.bin": "x", "data/a.inp": "a"})
    first = HashCache(tmp_path / "inputs.json")
    before = resolve(tmp_path, pattern, first).found[0]
    first.save()

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(room, "_hash", refuse)
    monkeypatch.setattr(room.Contents, "packed", refuse)
    after = resolve(tmp_path, pattern, HashCache(tmp_path / "inputs.json")).found[0]
    assert (after.sha256, after.size) == (before.sha256, before.size)


@pytest.mark.parametrize("pattern", ["data/a.inp", "data"])
def test_an_edit_is_noticed(tmp_path, pattern):
    tree(tmp_path, {"data/a.inp": "a"})
    cache = HashCache(None)
    before = resolve(tmp_path, pattern, cache).found[0].sha256
    (tmp_path / "data/a.inp").write_text("b")
    assert resolve(tmp_path, pattern, cache).found[0].sha256 != before


def test_a_file_written_just_now_is_not_trusted_yet(tmp_path):
    cache = HashCache(tmp_path / "inputs.json")
    (tmp_path / "a.inp").write_text("a")
    resolve(tmp_path, "a.inp", cache)
    cache.save()
    assert not (tmp_path / "inputs.json").exists()


def test_looking_writes_nothing(tmp_path):
    tree(tmp_path, {"data/a.inp": "a"})
    resolve(tmp_path, "data", HashCache(tmp_path / ".cloudburst/net3/inputs.json"))
    assert sorted(os.listdir(tmp_path)) == ["data"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", '{"format": 2, "known": {}}', '{"format": 1, "known": {"a": 1}}']
)
def test_a_damaged_memory_is_an_empty_one(tmp_path, text):
    (tmp_path / "inputs.json").write_text(text)
    assert HashCache(tmp_path / "inputs.json").get("a", "b") is None


def test_a_memory_that_cannot_be_written_is_no_ones_loss(tmp_path):
    tree(tmp_path, {"a.inp": "a"})
    cache = HashCache(tmp_path / "nowhere/inputs.json")
    resolve(tmp_path, "a.inp", cache)
    cache.save()
    assert sorted(os.listdir(tmp_path)) == ["a.inp"]
