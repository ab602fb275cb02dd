"""Every python block of docs/python.md is run, in order and in one program, and prints what the block under it shows."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, snippets
from tests.docs.test_console_blocks import copied_examples, shows

PAGE = ROOT / "docs" / "python.md"
END = "--- end of a block ---"


def program() -> tuple[str, list[list[str]]]:
    """The blocks as one program, and what each shows to be printed."""
    found = list(snippets(PAGE))
    blocks = [one for one in found if one.language == "python"]
    shown = {one: other.text.splitlines() for one, other in pairwise(found) if other.language == "text"}
    text = "\n".join(f"{block.text}\nprint({END!r}, flush=True)" for block in blocks)
    return text, [shown.get(block, []) for block in blocks]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_page_shows_is_what_happens(tmp_path: Path) -> None:
    copied_examples(tmp_path)
    text, shown = program()
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        cwd=tmp_path / "examples",
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *printed, rest = ended.stdout.split(f"{END}\n")
    assert rest == ""
    for lines, said in zip(shown, printed, strict=True):
        assert shows(lines, said), f"shown: {lines}\nprinted:\n{said}"


def test_every_block_of_the_page_is_python() -> None:
    compile(program()[0], "docs/python.md", "exec")
