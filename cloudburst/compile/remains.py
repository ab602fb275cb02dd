"""What can still be said of a study of which something could not be understood: only what holds whatever
stands in the place of that. So a misspelt key does not hide an unknown name three lines below.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..diagnostics import Path, Problem
from ..spec.ensemble import Block, Ensemble, Fixed
from .checks import ABOUT_NAMES, read
from .space import names_in

_ABOUT_NAMES = frozenset({"unknown-name", "unknown-input", "name-not-here", "name-absent"})


def check(ensemble: Ensemble, value: Any, wrong: Collection[Path]) -> Iterator[Problem]:
    """Errors that reading expressions and templates finds.

    `ensemble` is what was understood, `value` the document as it is written, `wrong` are the places of what was
    not. A name that somebody may have given there passes for a parameter of every block.
    """
    given = _names(value.get("parameters") if isinstance(value, Mapping) else None)
    whole = replace(ensemble, blocks=tuple(_with(block, given) for block in ensemble.blocks))
    is_table_lost = any(path[:1] == ("parameters",) and "table" in path for path in wrong)
    for problem in read(whole, ABOUT_NAMES):
        if problem.severity != "error" or any(problem.path[: len(path)] == path for path in wrong):
            continue
        if problem.code not in _ABOUT_NAMES or not (is_table_lost or _hangs_on(problem, wrong)):
            yield problem


def _with(block: Block, names: Collection[str]) -> Block:
    own = set(names_in(block))
    added = tuple(Fixed(name, None, block.path) for name in sorted(names) if name not in own)
    return replace(block, fixed=(*block.fixed, *added))


def _hangs_on(problem: Problem, wrong: Collection[Path]) -> bool:
    """What is known of inputs is lost with them; a lost source may have come before the place, or after it."""
    if problem.code == "unknown-input":
        return any(path[:1] == ("inputs",) for path in wrong)
    return problem.code == "name-not-here" and any(path[:1] == ("parameters",) for path in wrong)


def _names(value: Any) -> set[str]:
    """Every text under `parameters` that may be meant as the name of a parameter."""
    if isinstance(value, Mapping):
        inner = (_names(item) for key, item in value.items() if key != "exclude")
        return {key for key in value if isinstance(key, str)}.union(*inner)
    if isinstance(value, list):
        return set[str]().union(*map(_names, value))
    return {value} if isinstance(value, str) and value.isidentifier() else set()
