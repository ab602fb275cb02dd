"""What one input may cost: seconds of a processor, and memory. Linux; for the fuzzing program and its tests alone."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 1.0
"""Of a processor, for everything `validate` does with a file within the limits."""

MEGABYTES = 256
"""More than there was before."""

_MARGIN = 3
"""So many times the megabytes are refused by the kernel: the machine has other work."""

_STATUS = Path("/proc/self/status")


class TooLong(BaseException):
    """The processor's time is up. No `Exception`: nobody on the way may take it for a mistake of his own."""


class TooLarge(BaseException):
    """More memory was used than a file may need."""


@dataclass
class Cost:
    """What it took: seconds of a processor, bytes."""

    seconds: float = 0.0
    memory: int = 0


@contextmanager
def limited(seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Iterator[Cost]:
    """Raises TooLong and TooLarge. The time is this process' own: a busy machine does not count."""
    cost = Cost()
    with _memory(megabytes << 20, cost), _time(seconds, cost):
        yield cost


@contextmanager
def _time(seconds: float, cost: Cost) -> Iterator[None]:
    def end(*_: object) -> None:
        raise TooLong(f"more than {seconds:g} s of a processor")

    before = signal.signal(signal.SIGPROF, end)
    began = resource.getrusage(resource.RUSAGE_SELF)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        ended = resource.getrusage(resource.RUSAGE_SELF)
        cost.seconds = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


@contextmanager
def _memory(most: int, cost: Cost) -> Iterator[None]:
    """The highest resident size is forgotten, and read afterwards; address space is bounded meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _kilobytes("VmRSS") << 10
    resource.setrlimit(resource.RLIMIT_AS, ((_kilobytes("VmSize") << 10) + _MARGIN * most, hard))
    try:
        yield
    except MemoryError as error:
        raise TooLarge(f"more than {_MARGIN * most >> 20} MB at once") from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        cost.memory = (_kilobytes("VmHWM") << 10) - before
    if cost.memory > most:
        raise TooLarge(f"{cost.memory >> 20} MB")


def _kilobytes(name: str) -> int:
    line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
