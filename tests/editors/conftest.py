"""One language server for all tests of a process: it takes a second to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudburst import assets

from .language_server import Editor


@pytest.fixture(scope="session")
def editor() -> Iterator[Editor]:
    with Editor(assets.schema("ensemble")) as running:
        yield running
