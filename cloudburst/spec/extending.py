"""`extends`: a file and those it builds upon -> one document, in which every value still knows its file.

Maps are merged key by key, at every depth; a list or a scalar takes the place of what stood there. Where only one of
several keys can stand (a range or values, one distribution, one provider), the nearer file's choice displaces the
other. What a base reads (a worker directory, inputs, tables) is beside the base; what is written is beside the file
that extends it, which is the study.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path as File
from typing import Any, Final

from ..diagnostics import Diagnostic, Path, Problem
from ..errors import CloudBurstError
from . import document, schema
from .document import Document, Node, Text
from .later import address

KEY: Final = "extends"
MAX_LEVELS: Final = 10
"""Files above the study's own."""

_READ_PATHS = re.compile(
    r"worker/directory|inputs/[^/]+"
    r"|parameters/(table/file|(grid|zip)/[^/]+/glob|sample/of/[^/]+/names/file)"
)


@dataclass(frozen=True)
class Extended:
    """`document` is all files in one. It is not `is_whole` where a base could not be had: what lacks may be there."""

    document: Document
    diagnostics: tuple[Diagnostic, ...] = ()
    is_whole: bool = True


def extend(read: Document) -> Extended:
    """What `read` says together with the files it extends."""
    chain, found = [read], list[Diagnostic]()
    while KEY in _map(chain[-1]):
        base, diagnostics = _base_of(chain)
        found += diagnostics
        if base is None:
            return Extended(read, tuple(found), is_whole=False)
        chain.append(base)
    return Extended(_joined(chain), tuple(found))


def _map(read: Document) -> dict[str, Any]:
    return read.value if isinstance(read.value, dict) else {}


# ── the files ────────────────────────────────────────────────────────────────────────────────
def _base_of(chain: list[Document]) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """What the last file of the chain extends, or why it cannot be had."""
    last = chain[-1]
    name = _map(last)[KEY]
    if not isinstance(name, str) or not name:
        return None, ()  # the schema has a sentence for it
    file = File(os.path.normpath(last.file.parent / name))
    if problem := _obstacle(name, file, chain):
        return None, last.place([problem])
    try:
        base, found = document.read(file)
    except CloudBurstError as error:
        return None, last.place([Problem("unreadable-file", (KEY,), error.message)])
    if base.root is None:
        return None, found
    if not isinstance(base.value, dict):
        problem = Problem("wrong-type", (KEY,), f"{name} must be a map, not {schema.described(base.value)}")
        return None, (*found, *last.place([problem]))
    return base, found


def _obstacle(name: str, file: File, chain: list[Document]) -> Problem | None:
    project = _project(chain[0].file)
    if not file.resolve().is_relative_to(project):
        hint = f"put it below {project}, which goes to others as a whole"
        return Problem("outside-project", (KEY,), f"{name} lies outside the project", hint)
    if any(file.resolve() == one.file.resolve() for one in chain):
        way = " extends ".join([one.file.name for one in chain] + [file.name])
        return Problem("extends-cycle", (KEY,), f"a file cannot build upon itself: {way}", "end it here")
    if len(chain) > MAX_LEVELS:
        message = f"there are more than {MAX_LEVELS} files above {chain[0].file.name}"
        return Problem("extends-too-far", (KEY,), message, "bring some of them together")
    if not os.path.isfile(file):  # not of Path: that one raises for a name that is too long
        near = schema.nearest(file.name, _neighbours(file))
        hint = f'did you mean "{near}"?' if near else "the path is relative to the file it stands in"
        return Problem("no-such-file", (KEY,), f"there is no file {name} to extend", hint)
    return None


def _project(file: File) -> File:
    """The git checkout the file lies in, or its directory."""
    here = file.resolve().parent
    return next((one for one in (here, *here.parents) if (one / ".git").exists()), here)


def _neighbours(file: File) -> list[str]:
    try:
        return sorted(os.listdir(file.parent))
    except OSError:
        return []


# ── one document ─────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Part:
    """A value and the node that tells its places."""

    value: Any
    node: Node


def _joined(chain: list[Document]) -> Document:
    """The farthest first, each nearer one over it."""
    study = chain[0]
    if study.root is None or len(chain) == 1:
        return study
    farthest_first = (_part(read, study) for read in reversed(chain))
    whole = reduce(lambda far, near: _merged(near, far, ()), farthest_first)
    return replace(
        study,
        value={key: item for key, item in whole.value.items() if key != KEY},
        root=_without_extends(whole.node),
        unusable=tuple(
            path for read in chain for path in read.unusable if _is_of(read, path, whole.node, study)
        ),
        bases=tuple(read.file for read in chain[1:]),
    )


def _without_extends(root: Node) -> Node:
    keys = {key: span for key, span in root.keys.items() if key != KEY}
    children = {key: child for key, child in root.children.items() if key != KEY}
    return Node(root.span, root.plain, keys, children)


def _part(read: Document, study: Document) -> _Part:
    """What a file says, in the words of the study: paths relative to its directory."""
    assert read.root is not None  # noqa: S101  others do not get into a chain
    if read is study:
        return _Part(read.value, read.root)
    value = {key: item for key, item in read.value.items() if key != KEY}
    way = os.path.relpath(read.file.parent, study.file.parent)
    return _Part(value if way == "." else _moved(value, way, ()), _sourced(read.root, read.text))


def _sourced(node: Node, text: Text) -> Node:
    children = {part: _sourced(child, text) for part, child in node.children.items()}
    return Node(node.span, node.plain, node.keys, children, text)


def _moved(value: Any, way: str, path: Path) -> Any:
    """With `way` before every path of something that is read, unless it is absolute."""
    match value:
        case dict():
            return {key: _moved(item, way, (*path, key)) for key, item in value.items()}
        case list():
            return [_moved(item, way, (*path, index)) for index, item in enumerate(value)]
        case str() if value and _READ_PATHS.fullmatch(address(path)):
            return os.path.normpath(os.path.join(way, value))
        case _:
            return value


def _merged(near: _Part, far: _Part, path: Path) -> _Part:
    if not (isinstance(near.value, dict) and isinstance(far.value, dict)):
        return near
    kept = {key: far.value[key] for key in _kept(near.value, far.value, path)}
    value, keys, children = dict[str, Any](), dict(near.node.keys), dict(near.node.children)
    for key in dict.fromkeys([*kept, *near.value]):
        if key not in kept:
            value[key] = near.value[key]
            continue
        inherited = _Part(kept[key], far.node.children[key])
        part = inherited
        if key in near.value:
            part = _merged(_Part(near.value[key], near.node.children[key]), inherited, (*path, key))
        else:
            keys[key] = far.node.keys[key]
        value[key], children[key] = part.value, part.node
    return _Part(value, Node(near.node.span, near.node.plain, keys, children, near.node.source))


def _kept(near: dict[str, Any], far: dict[str, Any], path: Path) -> list[str]:
    """The keys of the farther map that go on standing beside those of the nearer one."""
    displaced = {
        key
        for rivals in schema.alternatives(path)
        if not rivals.isdisjoint(near)
        for key in rivals - near.keys()
    }
    kept = [key for key in far if key not in displaced]
    if not displaced:
        return kept
    needs = schema.companions(path)
    while lonely := [
        k for k in kept if k not in near and any(o not in near and o not in kept for o in needs.get(k, ()))
    ]:
        kept = [key for key in kept if key not in lonely]
    return kept


def _is_of(read: Document, path: Path, root: Node, study: Document) -> bool:
    """Whether what stands at `path` in the end is that file's."""
    node: Node | None = root
    for part in path:
        node = node.children.get(part) if node is not None else None
    return node is not None and (node.source or study.text) == read.text
