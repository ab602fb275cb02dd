"""Jobs that run a program: argv in the scratch, the description in job.json, the result as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import scratch

STDOUT_LIMIT = 4 * 2**20
"""Bytes of standard output that are kept to be read as JSON; a result may be 1 MiB."""

_TAIL = 2000


class CommandFailed(Exception):
    """The program did not end well. `returncode` is negative for a signal, None when it never ran."""

    def __init__(self, sentence: str, returncode: int | None = None) -> None:
        super().__init__(sentence)
        self.returncode = returncode


def run(argv: Sequence[str], job: Mapping[str, Any]) -> Any:
    """Runs the program in the working directory; its result. Raises CommandFailed.

    The result is `result.json` if the program leaves one, else what it prints, read as JSON; a
    program that does neither has the empty result. What it prints is passed on as the job's output.
    """
    for name in ("result.json", "job.json"):
        scratch.remove(name)  # possibly a link into the payload
    with open("job.json", "w", encoding="utf-8") as file:
        json.dump(job, file, ensure_ascii=False)
    printed, complained, returncode = _run(argv)
    if returncode:
        tail = (complained.strip() or printed)[-_TAIL:].decode("utf-8", "replace").strip()
        *before, last = tail.splitlines() or [""]
        sentence = f"`{argv[0]}` ended with exit code {returncode}" + (f": {last.strip()}" if last else "")
        raise CommandFailed(f"{sentence}\n{tail}" if before else sentence, returncode)
    return _result(argv[0], printed)


def _result(program: str, printed: bytes) -> Any:
    if os.path.isfile("result.json"):
        with open("result.json", "rb") as file:
            return _parse(file.read(), f"result.json of `{program}` is not JSON")
    if not printed.strip():
        return {}
    return _parse(printed, f"`{program}` wrote no result.json, and what it printed is not JSON")


def _parse(text: bytes, sentence: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        start = text[:80].decode("utf-8", "replace").strip().splitlines()
        raise CommandFailed(f"{sentence} ({error}); it begins with {start[0] if start else ''!r}") from None


class _Kept:
    """Part of a stream: its beginning or its end."""

    def __init__(self, limit: int, *, end: bool) -> None:
        self._limit, self._end = limit, end
        self.data = bytearray()

    def add(self, data: bytes) -> None:
        self.data += data
        if self._end:
            del self.data[: -self._limit]
        else:
            del self.data[self._limit :]


def _run(argv: Sequence[str]) -> tuple[bytes, bytes, int]:
    """Runs argv: the beginning of its standard output, the end of its standard error, its return code."""
    process = _start(argv)
    printed, complained = _Kept(STDOUT_LIMIT, end=False), _Kept(_TAIL, end=True)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as pipes:
        for pipe, kept in ((process.stdout, printed), (process.stderr, complained)):
            if pipe is not None:
                selector.register(pipes.enter_context(pipe), selectors.EVENT_READ, kept)
        ended = False
        while selector.get_map():
            ready = selector.select(timeout=0 if ended else 0.05)
            for key, _ in ready:
                _pass_on(selector, key)
            if not ready and ended:
                break  # a child it left behind still holds the pipe: the job is over all the same
            ended = process.poll() is not None
        return bytes(printed.data), bytes(complained.data), process.wait()


def _pass_on(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    data = os.read(key.fd, 65536)
    if not data:
        selector.unregister(key.fileobj)
        return
    key.data.add(data)
    while data:
        data = data[os.write(1, data) :]


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    sys.stdout.flush()
    try:
        return subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        raise CommandFailed(_not_found(argv[0])) from None
    except PermissionError:
        raise CommandFailed(f"`{argv[0]}` is not executable: chmod +x it in the worker directory") from None
    except OSError as error:
        raise CommandFailed(f"`{argv[0]}` cannot be started: {error.strerror}") from None


def _not_found(program: str) -> str:
    if "/" not in program and os.path.exists(program):
        return f"there is no program `{program}` on the PATH: write ./{program} for the one in the worker directory"
    if os.path.exists(program):
        return f"`{program}` cannot be started: the interpreter in its first line is not on this node"
    return f"there is no program `{program}` in the worker directory, its environment or on the node's PATH"
