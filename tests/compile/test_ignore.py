"""`.cloudburstignore` means what the same lines mean in a .gitignore: git itself is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudburst.compile.ignore import Ignore, _rules, read_ignore


def ignored(text: str, path: str) -> bool:
    """As a walk asks: every directory on the way first."""
    ignore = read_ignore(text)
    parts = path.split("/")
    above = any(ignore.ignores("/".join(parts[:n]), is_directory=True) for n in range(1, len(parts)))
    return above or ignore.ignores(path, is_directory=False)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.dat", "a.dat", True),
        ("*.dat", "deep/er/a.dat", True),
        ("*.dat", "a.data", False),
        ("# *.py", "a.py", False),
        (r"\#a", "#a", True),
        (r"\!a", "!a", True),
        ("/top.txt", "top.txt", True),
        ("/top.txt", "sub/top.txt", False),
        ("sub/a.txt", "sub/a.txt", True),
        ("sub/a.txt", "x/sub/a.txt", False),
        ("out/", "out/a.txt", True),
        ("out/", "sub/out/a.txt", True),
        ("out/", "out", False),
        ("**/a.txt", "x/y/a.txt", True),
        ("**/a.txt", "a.txt", True),
        ("x/**", "x/y/a.txt", True),
        ("x/**", "x", False),
        ("x/**/a.txt", "x/a.txt", True),
        ("x/**/a.txt", "x/y/z/a.txt", True),
        ("a*c", "a/c", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[a-c].txt", "b.txt", True),
        ("trailing.txt   ", "trailing.txt", True),
        ("*.txt\n!keep.txt", "keep.txt", False),
        ("!keep.txt\n*.txt", "keep.txt", True),
        ("out/\n!out/keep.txt", "out/keep.txt", True),
        ("!__pycache__/\n!*.pyc", "__pycache__/a.pyc", False),
        ("!.cloudburst/", ".cloudburst/ledger.sqlite", True),
        ("größe *", "größe 1", True),
    ],
)
def test_a_line_means_what_it_means_to_git(pattern, path, expected):
    assert ignored(pattern, path) is expected


def test_an_unfinished_pattern_matches_nothing():
    assert not ignored("[ab\n/\na\\\n[z-a]", "a")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not here to be asked")
    directory = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", "."], cwd=directory, check=True)
    return directory


names = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda text: set(text) != {"."})
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
patterns = st.lists(st.text(alphabet="ab./*?!", min_size=1, max_size=6), min_size=1, max_size=3).map(
    "\n".join
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=patterns, path=paths)
def test_git_agrees(repository, text, path):
    (repository / ".gitignore").write_text(text + "\n")
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--quiet", path], cwd=repository, check=False
    )
    ours = Ignore(_rules(text.splitlines()))
    parts = path.split("/")
    above = any(ours.ignores("/".join(parts[:n]), is_directory=True) for n in range(1, len(parts)))
    assert (above or ours.ignores(path, is_directory=False)) == (asked.returncode == 0)
