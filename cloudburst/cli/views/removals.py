"""What `destroy` removes, or would."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...run.destroy import Removal
from .words import bytes_in_words


def to_json(removal: Removal) -> dict[str, Any]:
    return {
        "path": str(removal.path),
        "what": removal.what,
        "size": removal.size,
        "computed": removal.computed,
    }


def lines(removals: Sequence[Removal], verb: str) -> Iterator[str]:
    """`verb` is `removed` or `would remove`."""
    if not removals:
        yield "there is nothing to remove"
    for removal in removals:
        yield f"{verb} {_from_here(removal.path)} ({removal.what}, {bytes_in_words(removal.size)})"


def _from_here(path: Path) -> str:
    """As one would write it in this directory, unless that is the longer way."""
    return min(str(path), os.path.relpath(path), key=len)
