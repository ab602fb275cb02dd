"""The life of a runner: import once, then job after job, each in a clean scratch."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from . import command, entrypoint, leftovers, series, values
from .endings import describe_exit, failed
from .frames import Line
from .scratch import Scratch, is_full, ran_out, remove

END_LIMIT = 2**20 - 64 * 1024
"""Bytes of JSON one end may have: with the output beside it, an outcome stays under 1 MiB."""

_REFERENCE = "cloudburst-input://"


class Runner:
    """Serves the jobs of one order. `hello` is the first message of the supervisor:

    {"payload", "entrypoint" or null, "isolation", "scratch", "outbox", "inputs": {sha256: path}}
    """

    def __init__(self, line: Line, hello: Mapping[str, Any]) -> None:
        self._line = line
        self._payload: str = hello["payload"]
        self._entrypoint: str | None = hello["entrypoint"]
        self._forks: bool = hello["isolation"] == "fork" and self._entrypoint is not None
        self._outbox: str = hello["outbox"]
        self._inputs: Mapping[str, str] = hello["inputs"]
        self._scratch = Scratch(hello["scratch"], self._payload)
        self._function: Callable[[Mapping[str, Any]], Any] | None = None

    def prepare(self) -> None:
        """Imports the user's module and calls its `setup()`. Raises entrypoint.Broken."""
        self._scratch.renew()
        if self._entrypoint is not None:
            self._function = entrypoint.load(self._entrypoint, self._payload)
            self._scratch.spare_the_present()
        gc.collect()
        gc.freeze()
        self._spared = leftovers.children()
        self._normal = _ProcessState()

    def serve(self) -> None:
        """Answers jobs until the supervisor hangs up."""
        while True:
            self._renew()
            self._line.send({"ready": True})
            body = self._line.read()
            if body is None:
                return
            end = self._run_forked(body) if self._forks else self._run(body)
            leftovers.end_children(self._spared)
            self._line.send_body(end)

    def _renew(self) -> None:
        self._normal.restore()
        self._scratch.renew()

    # ── one job ──────────────────────────────────────────────────────────────────────────────
    def _run(self, body: bytes) -> bytes:
        """The end of a job, as JSON."""
        _empty(self._outbox)
        end = self._perform(body)
        _flush()
        text = json.dumps({"end": end}, separators=(",", ":")).encode("ascii")
        if len(text) > END_LIMIT:
            end = failed("error", _too_large(len(text)), end["started"], end["seconds"])
            text = json.dumps({"end": end}, separators=(",", ":")).encode("ascii")
        return text

    def _perform(self, body: bytes) -> dict[str, Any]:
        message = json.loads(body)
        if _REFERENCE.encode() in body:
            message = _with_inputs(message, {**self._inputs, **message.pop("inputs", {})})
        me, started, clock = os.getpid(), time.time(), time.perf_counter()
        try:
            value = self._call(message)
        except BaseException as error:
            seconds = time.perf_counter() - clock
            if os.getpid() != me:
                _leave_fork(error)
            return self._explain(error, started, seconds)
        seconds = time.perf_counter() - clock
        if os.getpid() != me:
            _leave_fork(None)
        try:
            return {**self._pack(value), "started": started, "seconds": seconds}
        except BaseException as error:
            return self._explain(error, started, seconds)

    def _call(self, message: Mapping[str, Any]) -> Any:
        if self._function is None:
            return command.run(message["argv"], message["run"])
        return self._function(message["run"])

    def _explain(self, error: BaseException, started: float, seconds: float) -> dict[str, Any]:
        """The bad end of a job. `full` is for the supervisor: the scratch is emptied before it could look."""
        end = self._tell(error, started, seconds)
        return {**end, "full": True} if ran_out(error) or is_full(self._scratch.path) else end

    def _tell(self, error: BaseException, started: float, seconds: float) -> dict[str, Any]:
        if isinstance(error, command.CommandFailed) and error.returncode is not None and error.returncode < 0:
            return failed("crash", describe_exit(error.returncode), started, seconds)
        if isinstance(error, (values.Unstorable, entrypoint.DoesNotFit, command.CommandFailed)):
            return failed("error", str(error), started, seconds)
        return failed("error", entrypoint.explain(error, self._payload), started, seconds)

    # ── what it returned ─────────────────────────────────────────────────────────────────────
    def _pack(self, value: Any) -> dict[str, Any]:
        """The good end of a job; series and files wait in the outbox for the RQ worker. Raises Unstorable."""
        returned = values.take_apart(value)
        return {
            "status": "done",
            "kind": None,
            "error": None,
            "result": returned.result,
            "series": self._keep_series(returned.series),
            "files": {name: self._keep_file(name, path) for name, path in returned.files.items()},
        }

    def _keep_series(self, all_series: list[series.Series]) -> dict[str, Any] | None:
        if not all_series:
            return None
        path = os.path.join(self._outbox, "series")
        with open(path, "wb") as file:
            file.write(series.encode(all_series))
        return {"path": path, "names": [one.name for one in all_series]}

    def _keep_file(self, name: str, path: PurePath) -> dict[str, Any]:
        """Puts a returned file into the outbox, where neither the next job nor anybody else changes it."""
        source = Path(path)
        try:
            mode = source.stat().st_mode
        except OSError:
            raise values.Unstorable(
                f"`{name}` is the path {str(path)!r}, and there is no such file"
            ) from None
        if not stat.S_ISREG(mode):
            hint = ": return an archive of it (shutil.make_archive)" if stat.S_ISDIR(mode) else ""
            raise values.Unstorable(f"`{name}` is the path {str(path)!r}, which is no file{hint}")
        kept = os.path.join(self._outbox, f"file-{len(os.listdir(self._outbox))}")
        try:
            if not self._is_disposable(source):
                raise OSError("somebody may still write to it")
            os.link(source, kept)
        except OSError:
            shutil.copyfile(source, kept)
        return {"path": kept, "name": source.name}

    def _is_disposable(self, source: Path) -> bool:
        """Whether the file is the scratch's own and goes with it, so that a link to it is enough."""
        return os.path.realpath(source).startswith(os.path.join(os.path.realpath(self._scratch.path), ""))

    # ── a process per job ────────────────────────────────────────────────────────────────────
    def _run_forked(self, body: bytes) -> bytes:
        """Runs the job in a child of this process; a child that dies is the end of that job only."""
        answer = os.path.join(self._outbox, "end.json")
        _empty(self._outbox)
        started, clock = time.time(), time.perf_counter()
        _flush()
        child = os.fork()
        if child == 0:
            self._answer_and_exit(body, answer)
        _, status = os.waitpid(child, 0)
        try:
            with open(answer, "rb") as file:
                return file.read()
        except FileNotFoundError:
            error = describe_exit(_returncode(status))
            end = failed("crash", error, started, time.perf_counter() - clock)
            return json.dumps({"end": end}).encode("ascii")

    def _answer_and_exit(self, body: bytes, answer: str) -> None:
        """In the child: leaves the end of the job in a file, complete or not at all."""
        try:
            end = self._run(body)
            with open(answer + ".part", "wb") as file:
                file.write(end)
            os.rename(answer + ".part", answer)
        finally:
            os._exit(0)


class _ProcessState:
    """What a job may change in its process, as it was before the first job."""

    def __init__(self) -> None:
        self._environ = dict(os.environ)
        self._path = list(sys.path)
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._handlers = {number: signal.getsignal(number) for number in _catchable()}
        self._streams = {number: os.dup(number) for number in (0, 1, 2)}
        self._identities = {number: _identity(number) for number in (0, 1, 2)}
        self._stdout, self._stderr = sys.stdout, sys.stderr

    def restore(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if dict(os.environ) != self._environ:
            os.environ.clear()
            os.environ.update(self._environ)
        if sys.path != self._path:
            sys.path[:] = self._path
        os.umask(self._umask)
        self._restore_streams()

    def _restore_streams(self) -> None:
        for number, saved in self._streams.items():
            if _identity(number) != self._identities[number]:
                os.dup2(saved, number)
        if self._stdout.closed or self._stderr.closed:
            self._stdout, self._stderr = open_streams()
        sys.stdout, sys.stderr = self._stdout, self._stderr


def open_streams() -> tuple[Any, Any]:
    """Text streams over descriptors 1 and 2, a line at a time: what a crashed job printed is not lost."""
    sys.stdout, sys.stderr = _text(1), _text(2)
    return sys.stdout, sys.stderr


def _text(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _catchable() -> list[int]:
    return [int(s) for s in signal.Signals if s not in (signal.SIGKILL, signal.SIGSTOP)]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # the job closed or replaced it
            stream.flush()


def _leave_fork(error: BaseException | None) -> None:
    """A child that the job forked came out of the function: it ends here and answers nothing."""
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else bool(error.code))
    if error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
    _flush()
    os._exit(0 if error is None else 1)


def _empty(outbox: str) -> None:
    for name in os.listdir(outbox):
        remove(os.path.join(outbox, name))


def _with_inputs(value: Any, inputs: Mapping[str, str]) -> Any:
    """The same JSON with local paths where references to inputs stood."""
    if isinstance(value, str):
        for digest, path in inputs.items():
            value = value.replace(_REFERENCE + digest, path)
        return value
    if isinstance(value, list):
        return [_with_inputs(part, inputs) for part in value]
    if isinstance(value, dict):
        return {key: _with_inputs(part, inputs) for key, part in value.items()}
    return value


def _too_large(size: int) -> str:
    return (
        f"what the job returned is {size / 2**20:.1f} MB as JSON, and a row holds up to 1 MB: "
        "return it as a file (a pathlib.Path) or as a series"
    )


def _returncode(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def start(line: Line) -> None:
    """Reads the supervisor's hello and serves until it hangs up."""
    body = line.read()
    if body is None:
        return
    hello = json.loads(body)
    entrypoint.put_first(hello["payload"])
    faulthandler.enable(os.fdopen(os.dup(2), "w"), all_threads=False)
    runner = Runner(line, hello)
    try:
        runner.prepare()
    except entrypoint.Broken as error:
        _flush()
        line.send({"broken": str(error)})
        return
    runner.serve()
