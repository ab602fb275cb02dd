from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, ROOT, Snippet, snippets

KNOWN = {"": None, "fragment": {"yaml"}, "file": None, "exit": {"console"}}


def test_the_reader_of_pages_finds_blocks_their_marks_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.snippets.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "text\n\n<!-- file: a.py -->\n```python\nx = 1\n```\n\n```console\n$ ls\n```\n\n```\nplain\n```\n"
    )
    assert list(snippets(page)) == [
        Snippet("page.md", 5, "python", "x = 1\n", "file", "a.py"),
        Snippet("page.md", 9, "console", "$ ls\n"),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_mark_is_one_the_tests_act_upon(page: Path) -> None:
    for snippet in snippets(page):
        assert snippet.mark in KNOWN, f"{snippet}: unknown mark {snippet.mark}"
        languages = KNOWN[snippet.mark]
        assert languages is None or snippet.language in languages, (
            f"{snippet}: {snippet.mark} says nothing here"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_block_hides_behind_a_fence_the_reader_does_not_know(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    fences = [line for line in lines if line.lstrip().startswith(("```", "~~~"))]
    named = [fence for fence in fences if fence.strip("`~ ")]
    assert len(named) == len(list(snippets(page))), "a fence is indented, or not closed"
    assert len(fences) % 2 == 0, "a fence is not closed"
