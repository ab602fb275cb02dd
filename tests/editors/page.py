"""docs/editors-and-git.md: the files that it shows."""

from __future__ import annotations

from tests.docs.snippets import ROOT, snippets

PAGE = ROOT / "docs" / "editors-and-git.md"


def shown(file: str) -> str:
    """The text of a file of the page's project."""
    return next(s.text for s in snippets(PAGE) if (s.mark, s.value) == ("file", file))
