"""One `cloudburst apply` on its way, read in a thread: several go side by side, and none waits for its reader."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

Status = Mapping[str, Any]


class Course:
    """What `apply --json` says, as it says it. `statuses` are the controller's, the last one last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._complaints = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._complain)]
        for reader in self._readers:
            reader.start()

    @property
    def status(self) -> Status:
        """The last one that was heard; empty before the first."""
        return next((one["status"] for one in reversed(self.events) if one["event"] == "progress"), {})

    def until(self, condition: Callable[[Status], object], what: str, seconds: float) -> Status:
        """The first status for which this holds. Fails when the command ends before, or the time does."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not ((status := self.status) and condition(status)):
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    pytest.fail(f"{'ended' if self._ended else 'no end'} before {what}: {self.last_words()}")
                self._changed.wait(left)
        return status

    def finish(self, seconds: float) -> dict[str, Any]:
        """The summary. Fails when the command goes wrong, or on for longer."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"no end after {seconds:g} s: {self.last_words()}")
        self._join()
        assert self.process.returncode == 0, self.last_words()
        return self.events[-1]

    def kill(self) -> None:
        """`kill -9` of the command, and no other process of it is left."""
        self.process.kill()
        self.process.wait()
        self._join()

    def last_words(self) -> str:
        """The last status, the last other events and stderr."""
        others = [event for event in self.events if event["event"] != "progress"]
        return f"exit code {self.process.poll()}\n{self.status}\n{others[-5:]}\n{self._complaints}"

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(10)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _complain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._complaints = (self._complaints + line)[-4000:]
