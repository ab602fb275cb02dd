"""What `destroy` removes, or would."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...run.destroy import Removal, StandingAfar, Taken
from .words import bytes_in_words, count


def to_json(removal: Removal) -> dict[str, Any]:
    return {
        "path": str(removal.path),
        "what": removal.what,
        "size": removal.size,
        "computed": removal.computed,
    }


def afar_to_json(afar: StandingAfar, taken: Taken) -> dict[str, Any]:
    return {"where": afar.where, "removed": dict(taken.removed.by_kind()), "left": list(taken.kept)}


def lines(removals: Sequence[Removal], verb: str, afar: StandingAfar | None = None) -> Iterator[str]:
    """`verb` is `removed` or `would remove`; `afar` is what was on a swarm."""
    if not removals and afar is None:
        yield "there is nothing to remove"
    if afar is not None:
        kinds = (count(len(names), kind) for kind, names in afar.remains.by_kind())
        yield f"{verb} from {afar.where}: {', '.join(kinds)}"
    for removal in removals:
        yield f"{verb} {_from_here(removal.path)} ({removal.what}, {bytes_in_words(removal.size)})"


def _from_here(path: Path) -> str:
    """As one would write it in this directory, unless that is the longer way."""
    return min(str(path), os.path.relpath(path), key=len)
