"""Every console block of the pages is run, in order, and prints what the page shows.

A page has one project: an empty directory with a copy of `examples/`, from where `cd` leads on. Times, rates,
ids, sizes and decimals are compared by their shape, whole numbers and words as they are; a line `…` stands for any
number of lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, ROOT, Snippet, snippets

TOLD = [page for page in PAGES if any(s.language == "console" for s in snippets(page))]

SHAPES = (
    (re.compile(r"(?<![.\d])\b[0-9a-f]{8,64}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min|m|h)\b( \d+ ?(s|min|m)\b)?"), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)? ?(jobs)?/ ?s\b|[\d.,]+(e\+\d+)? a second"), "<rate>"),
    (re.compile(r"\b\d+(\.\d+)? (bytes|kB|MB)\b"), "<size>"),
    (re.compile(r"\bon \S+/\d+\b"), "on <worker>"),
    (re.compile(r"-?\b\d+\.\d+(e[-+]\d+)?\b"), "<number>"),
    (re.compile(r"/\S*/(?=[\w.-]+)"), "<directory>/"),
    (re.compile(r"[ \t]+"), " "),
)


def shape(line: str) -> str:
    for pattern, name in SHAPES:
        line = pattern.sub(name, line)
    return line.strip()


def pattern_of(shown: list[str]) -> re.Pattern[str]:
    lines = (r"(?:.*\n)*?" if line.strip() == "…" else re.escape(shape(line)) + r"\n" for line in shown)
    return re.compile("".join(lines))


def shows(shown: list[str], printed: str) -> bool:
    said = "".join(shape(line) + "\n" for line in printed.strip("\n").splitlines())
    return pattern_of(shown).fullmatch(said) is not None


def commands(snippet: Snippet) -> list[tuple[str, list[str]]]:
    """Each `$ command` of a block with the lines shown under it."""
    found: list[tuple[str, list[str]]] = []
    for line in snippet.text.rstrip("\n").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"{snippet}: output before the first command"
            found[-1][1].append(line)
    return found


def run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    return subprocess.run(
        ["sh", "-c", command],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


def copied_examples(home: Path) -> None:
    """As they are in a clone, in `home`."""
    left_out = shutil.ignore_patterns(".cloudburst", "results", "__pycache__", "*.lock", "heat")
    shutil.copytree(ROOT / "examples", home / "examples", ignore=left_out)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", TOLD, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    copied_examples(tmp_path)
    home = tmp_path
    for snippet in snippets(page):
        if snippet.mark == "file":
            (home / snippet.value).parent.mkdir(parents=True, exist_ok=True)
            (home / snippet.value).write_text(snippet.text, "utf-8")
        if snippet.language != "console":
            continue
        told = commands(snippet)
        for number, (command, shown) in enumerate(told, 1):
            if command.startswith("cd "):
                home = home / command.removeprefix("cd ")
                continue
            ended = run(command, home)
            expected = int(snippet.value) if snippet.mark == "exit" and number == len(told) else 0
            assert ended.returncode == expected, f"{snippet}: $ {command}\n{ended.stdout}"
            assert shows(shown, ended.stdout), f"{snippet}: $ {command}\nprinted:\n{ended.stdout}"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["200 jobs in 7.1 s"], "200 jobs in 9 s\n", True),
        (["200 jobs in 7.1 s"], "199 jobs in 7.1 s\n", False),
        (["first", "…", "last"], "first\na\nb\nlast\n", True),
        (["first", "…", "last"], "first\nlast\n", True),
        (["first", "last"], "first\na\nlast\n", False),
        (["…"], "", True),
        ([], "unexpected\n", False),
        (["row 0f3c9a11b2c3d4e5f607  -1.25"], "row aaaaaaaabbbbbbbbcccc  -3.75\n", True),
    ],
)
def test_outputs_are_compared_by_shape(shown: list[str], printed: str, same: bool) -> None:
    assert shows(shown, printed) is same
