"""`run-one`: a single job in the foreground, as a node would run it, its output shown as it comes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import addresses, orders
from .cache import Cache, disk_errors
from .files import Directory, FileStore, Source
from .preparing import prepare
from .runners import Prepared
from .scratches import Rooms
from .slots import Slot

EXIT_DONE, EXIT_FAILED, EXIT_BROKEN = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """The command line of `run-one`. `files_root` is an address or the file store's own directory."""

    order: Path
    job: Path
    files_root: str
    secrets: Path
    cache: Path
    scratch: Path | None
    end: Path | None
    results: Path | None


def main(options: Options) -> int:
    """Runs the job. 0: done, 1: it failed, 2: it cannot be run (a sentence on standard error).

    Standard output gets what the job prints, as it prints it. `--end` gets the end of the job:
    status, kind, error, result, started, seconds, output, and under `series` and `files` the paths
    below `--results`.
    """
    secrets = addresses.read_secrets(options.secrets)
    cache = Cache(options.cache, _source(options.files_root, secrets.worker_token))
    rooms = Rooms("run-one", options.scratch, options.cache / "scratch")
    try:
        order = orders.read(options.order.read_bytes())
        prepared = prepare(order, cache, secrets.environment, _say)
        job = json.loads(options.job.read_bytes())
        local = _files(cache, order, job.get("files", {}))
        end = asyncio.run(_run(prepared, {**job, "inputs": local}, rooms, options.results))
    except orders.Broken as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    finally:
        rooms.close()
        cache.let_go()
    if options.end is not None:
        options.end.write_text(json.dumps(end, indent=1), encoding="utf-8")
    return EXIT_DONE if end["status"] == "done" else EXIT_FAILED


def _source(root: str, token: str) -> Source:
    if Path(root).is_dir():
        return Directory(Path(root))
    return FileStore(root, token, patience=60.0)


def _files(cache: Cache, order: orders.Order, names: dict[str, str]) -> dict[str, str]:
    """digest -> local path of the files the job names. Raises Broken."""
    with disk_errors("the cache", cache.root):
        for digest in names:
            cache.used_by(order.study).mark("input", digest)
    return {
        digest: str(cache.input(orders.Input(digest, name, "file"), _say)) for digest, name in names.items()
    }


def _say(detail: str) -> None:
    sys.stderr.write(f"{detail}\n")


async def _run(prepared: Prepared, job: dict[str, Any], rooms: Rooms, results: Path | None) -> dict[str, Any]:
    """One slot, one job. Raises Broken when no runner comes to life."""
    customer = _Customer()
    room, spare = rooms.open(1)
    slot = Slot(0, customer, room, spare, echo=_echo)
    slot.furnish(prepared)
    slot.lend(customer, 1)
    message = {"run": job["job"], "argv": job.get("argv"), "inputs": job["inputs"]}
    slot.run(json.dumps(message).encode("ascii"), 0)
    try:
        return _bring_home(await customer.end, results)
    finally:
        await slot.end()


class _Customer:
    """Both who borrows the slot and who owns it."""

    def __init__(self) -> None:
        self.end: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def on_job_end(self, end: dict[str, Any]) -> None:
        if not self.end.done():
            self.end.set_result(end)

    def on_refused(self, reason: str) -> None:
        if not self.end.done():
            self.end.set_exception(orders.Broken(reason))

    def on_slot_ready(self, slot: Slot) -> None:
        pass

    def on_order_broken(self, digest: str, reason: str) -> None:  # noqa: ARG002
        self.on_refused(reason)

    def on_job_seconds(self, seconds: float) -> None:
        pass


def _echo(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _bring_home(end: dict[str, Any], results: Path | None) -> dict[str, Any]:
    """Copies returned series and files out of the outbox, which ends with the slot."""
    kept = {**end, "series": None, "files": {}}
    if results is None:
        return kept
    results.mkdir(parents=True, exist_ok=True)
    if end["series"] is not None:
        path = shutil.copyfile(end["series"]["path"], results / "series")
        kept["series"] = {"path": str(path), "names": end["series"]["names"]}
    for name, file in end["files"].items():
        (results / "files").mkdir(exist_ok=True)
        path = shutil.copyfile(file["path"], results / "files" / file["name"])
        kept["files"][name] = {"path": str(path), "name": file["name"]}
    return kept
