"""READ: the text of an ensemble file -> an Ensemble, with a line and column for everything.

`load` is the passes in order. `build` is the last step alone, from the normal form, with no file around.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from ..diagnostics import Diagnostic, Path, Problem, are_too_many, first_told, has_errors, in_order
from . import document, later, schema
from .build import build
from .canonical import normalise, on_this_machine
from .checks import check
from .document import Document
from .ensemble import Ensemble
from .extending import extend
from .traps import check_words

__all__ = ["Loaded", "build", "load"]


@dataclass(frozen=True)
class Loaded:
    """What a file says. With errors `ensemble` is None and `normal` is {}; warnings stop nothing.

    `normal` is JSON and needs no other file: `build(normal) == ensemble`. With errors `understood` may still be
    what is left of the study without what is `wrong`: for further checks, never to compute with.
    """

    ensemble: Ensemble | None
    diagnostics: tuple[Diagnostic, ...]
    document: Document
    normal: dict[str, Any]
    understood: Ensemble | None = None
    wrong: tuple[Path, ...] = ()


def load(path: str | os.PathLike[str], *, local: bool = False, looking: bool = False) -> Loaded:
    """Read, check and build; every mistake at once. Raises CloudBurstError where there is no file to read.

    `local`: for a run on this machine, whatever machines the file names: they are set aside, with all
    that only they have. `looking`: for a command that computes nothing: so are machines that this
    version cannot have, while a swarm stays what it is.
    """
    read, found = document.read(File(path))
    if read.root is None:
        return Loaded(None, in_order(found), read, {})
    extended = extend(read)
    read, found = extended.document, (*found, *extended.diagnostics)
    problems = [p for p in schema.validate(read.value) if not _is_inside(p.path, read.unusable)]
    if not extended.is_whole:
        seen = [p for p in problems if p.code != "missing-key"]
        return Loaded(None, in_order((*found, *read.place(seen))), read, {})
    unknown = [p for p in problems if p.code == later.CODE and p.path[:1] == ("cluster",)]
    aside = unknown if local or looking else []
    problems = [p for p in problems if p not in aside]
    ensemble, normal = _understand(read, problems, tuple(p.path for p in aside), local=local)
    diagnostics = in_order((*found, *read.place(problems)))
    if has_errors(diagnostics):
        wrong = (*(problem.path for problem in problems if problem.severity == "error"), *read.unusable)
        return Loaded(None, diagnostics, read, {}, ensemble, wrong)
    return Loaded(ensemble, diagnostics, read, normal)


_WITHOUT_EFFECT = frozenset({"only-on-rented-machines", "only-on-a-swarm"})
_ABOUT_THE_PROVIDER = frozenset({*_WITHOUT_EFFECT, "no-server"})


def _understand(
    read: Document, problems: list[Problem], aside: tuple[Path, ...], *, local: bool
) -> tuple[Ensemble | None, dict[str, Any]]:
    """The passes after the schema, over what it has left; they add to `problems`."""
    if are_too_many(problems):
        return None, {}
    wrong = [*(problem.path for problem in problems), *read.unusable]
    value = schema.sound(read.value, (*wrong, *aside))
    if value is None:
        return None, {}
    normal, unread = normalise(value, read.file.parent)
    problems += unread
    if aside or (local and normal["cluster"]["provider"] != {"local": {}}):
        normal, missed = on_this_machine(normal)
        problems += missed
    ensemble = build(normal)
    where_is_lost = any(path[:2] in (("cluster",), ("cluster", "provider")) for path in wrong)
    judged = (
        p
        for p in check(ensemble)
        if not (where_is_lost and p.code in _ABOUT_THE_PROVIDER)
        and not (p.code in _WITHOUT_EFFECT and _is_inherited(p.path, read))
    )
    problems += first_told(judged)
    problems += first_told(check_words(read))
    return ensemble, normal


def _is_inherited(path: Path, read: Document) -> bool:
    """Whether a base file says it of a provider that this one replaces: then it cannot be left out here."""
    return read.where(path)[0].file != read.where(("cluster", "provider"))[0].file


def _is_inside(path: Path, unusable: tuple[Path, ...]) -> bool:
    return any(path[: len(outer)] == outer for outer in unusable)
