"""What a study means to a controller: its jobs by row, and the rules for failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

from ..compile.files import local_names
from ..compile.normal import thaw
from ..spec import build
from .dispatch import Expanded, Rules


class Jobs(Protocol):
    """A lazy sequence, such as `compile.jobs.Jobs`; `count` is its length, whatever its size."""

    @property
    def count(self) -> int: ...
    def __iter__(self) -> Iterator[Expanded]: ...
    @overload
    def __getitem__(self, key: int, /) -> Expanded: ...
    @overload
    def __getitem__(self, key: slice, /) -> Jobs: ...


@dataclass(frozen=True)
class Work:
    jobs: Jobs
    rules: Rules = field(default_factory=Rules)
    max_failures: int | float | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that are values: sha256 -> the name on a worker."""


Thaw = Callable[[Mapping[str, Any]], Work]
"""From what `compile.normal.freeze` made."""


def thaw_work(frozen: Mapping[str, Any]) -> Work:
    """Raises CloudBurstError for a study of another format."""
    jobs = thaw(frozen)
    ensemble = build(frozen["normal"])
    retries = ensemble.worker.retries
    return Work(
        jobs,
        Rules(retries.max, frozenset(retries.on)),
        ensemble.cluster.max_failures,
        local_names(frozen.get("files", {})),
    )
