"""Files that single jobs name: brought to this node when the first of them is about to run, and no sooner.

An RQ worker fetches into the node's cache, where the supervisor keeps the shared inputs. A large file takes its time,
and so may another worker that fetches the same one: meanwhile the batch's lease has to be kept.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .cache import Cache, disk_errors
from .files import Source
from .orders import Input

_REFERENCE = re.compile("cloudburst-input://([0-9a-f]{64})")
_LOOK = 1.0
"""Seconds between two calls of who waits."""


class _Anew:
    """A source of its own for every file: a fetch that nobody waits for any more goes on undisturbed."""

    def __init__(self, make: Callable[[], Source]) -> None:
        self._make = make

    def fetch(self, digest: str, target: Path) -> None:
        self._make().fetch(digest, target)


class Fetcher:
    """`root` is the node's cache; `make` opens the file store."""

    def __init__(self, root: Path, study: str, make: Callable[[], Source]) -> None:
        self._root, self._study = root, study
        self._cache = Cache(root, _Anew(make))
        self._known: dict[str, str] = {}

    def local(
        self, job: Mapping[str, Any], names: Mapping[str, str], keep: Callable[[], None]
    ) -> dict[str, str]:
        """digest -> local path of the files this job names, of those in `names` (digest -> file name).

        `keep` is called often while that takes long; what it raises comes out. Raises Broken.
        """
        if not names:
            return {}
        named = set(_REFERENCE.findall(_text(job["job"], job["argv"]))) & names.keys()
        for digest in sorted(named - self._known.keys()):
            self._known[digest] = self._brought(Input(digest, names[digest], "file"), keep)
        return {digest: self._known[digest] for digest in named}

    def _brought(self, one: Input, keep: Callable[[], None]) -> str:
        ended: queue.SimpleQueue[str | BaseException] = queue.SimpleQueue()
        threading.Thread(target=self._fetch, args=(one, ended), daemon=True).start()
        while True:
            try:
                end = ended.get(timeout=_LOOK)
            except queue.Empty:
                keep()
                continue
            if isinstance(end, BaseException):
                raise end
            return end

    def _fetch(self, one: Input, ended: queue.SimpleQueue[str | BaseException]) -> None:
        try:
            with disk_errors("the cache", self._root):
                self._cache.used_by(self._study).mark("input", one.digest)
            ended.put(str(self._cache.input(one, _say_nothing)))
        except BaseException as error:
            ended.put(error)


def _text(*parts: Any) -> str:
    """All texts of these parts of JSON, one after another."""
    found: list[str] = []
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return "\n".join(found)


def _say_nothing(_detail: str) -> None:
    """The node's state tells of what all jobs wait for, not of one."""
