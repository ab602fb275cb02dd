"""Errors as somebody meets them in Python: with the way out beside the sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CloudBurstError


@contextmanager
def told() -> Iterator[None]:
    """A hint becomes a note of the exception (PEP 678): every traceback shows it under the sentence."""
    try:
        yield
    except CloudBurstError as error:
        note = f"hint: {error.hint}"
        if error.hint and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        raise
