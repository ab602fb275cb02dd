"""Text in, (line, column, code) out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from cloudburst.spec import Loaded, load
from cloudburst.spec.ensemble import Block

HEAD = "cloudburst: 1\nname: study\nworker: {directory: code, entrypoint: model:run}\n"
"""Three lines; what a test adds begins on line 4."""

Mark = tuple[int, int, str]
Read = Callable[..., Loaded]
Marks = Callable[..., list[Mark]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a text, as it is or below HEAD; further files are written beside it."""

    def write_and_load(text: str, *, head: bool = True, **files: str) -> Loaded:
        for name, content in files.items():
            (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8", newline="")
        file = tmp_path / "ensemble.yaml"
        file.write_bytes(((HEAD if head else "") + dedent(text)).encode("utf-8"))
        return load(file)

    return write_and_load


@pytest.fixture
def marks(read: Read) -> Marks:
    """Where the diagnostics of a text stand, and which they are."""

    def place(text: str, *, head: bool = True, **files: str) -> list[Mark]:
        found = read(text, head=head, **files).diagnostics
        return [(d.span.line, d.span.column, d.code) for d in found if d.span]

    return place


@pytest.fixture
def block(read: Read) -> Callable[..., Block]:
    """The first block of a study whose `parameters` are given."""

    def first(text: str, **files: str) -> Block:
        loaded = read(text, **files)
        assert loaded.ensemble is not None, loaded.diagnostics
        return loaded.ensemble.blocks[0]

    return first
