"""What hosts stand on: a directory that records all that was made for one run, so that it can be removed.

A run belongs to the process that made it. When that process is gone, `abandoned` finds its record.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import cgroups, network
from .access import Access
from .commands import LabError, run
from .host import Host, Size, entered_by
from .network import Network

RECORD = "run.json"
UPLINKS = "uplinks.json"
PLACES = 200
"""Hosts that fit into one ground's networks."""


@dataclass(frozen=True)
class Ground:
    """One run: its directory, its network, its keys, its hosts."""

    directory: Path
    network: Network

    @property
    def access(self) -> Access:
        return Access(self.directory)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that were added, in that order; written down, so any process may ask."""
        return tuple(
            Host(
                name=entry["name"],
                number=entry["number"],
                network=self.network,
                directory=self.directory / entry["name"],
                image=Path(entry["image"]),
                layers=Path(entry["layers"]) if entry["layers"] else None,
                size=Size(**entry["size"]),
                hostname=entry.get("hostname", entry["name"]),  # a run of before may have left none
            )
            for entry in self._record()["hosts"]
        )

    def add(self, name: str, size: Size, image: Path, layers: Path | None) -> Host:
        """A new host, not switched on yet, whose Docker daemon will find the images of `layers`.

        It is one of the lab's own: the key of `access` enters it, and `access` knows it.
        """
        host = self.note(name, size, image, layers)
        host.prepare(entered_by(self.access.authorized_key(), self.access.host_key(name).read_text()))
        self.access.know(self.hosts)
        return host

    def note(self, name: str, size: Size, image: Path, layers: Path | None, hostname: str = "") -> Host:
        """Writes down a host that is to be made; its number is nobody's, and the longest free.

        Several threads may note, resize and drop hosts at the same time.
        """
        with self._changed() as record:
            entry = {
                "name": name,
                "hostname": hostname or name,
                "number": _free_number(record),
                "size": asdict(size),
            }
            record["hosts"].append({**entry, "image": str(image), "layers": layers and str(layers)})
            record["last"] = entry["number"]
        return self.host(name)

    def resize(self, host: Host, size: Size) -> Host:
        """The host as it will be when it is switched on the next time."""
        with self._changed() as record:
            next(entry for entry in record["hosts"] if entry["name"] == host.name)["size"] = asdict(size)
        host.fit(size)
        return self.host(host.name)

    def host(self, name: str) -> Host:
        """The host of that name, or that calls itself so. Raises LabError when there is none."""
        hosts = self.hosts
        for host in hosts:
            if name in (host.name, host.hostname):
                return host
        raise LabError(f"no host {name}: there are {', '.join(host.hostname for host in hosts)}")

    def drop(self, host: Host) -> None:
        """Removes a host and all that was made for it."""
        host.remove()
        with self._changed() as record:
            record["hosts"] = [entry for entry in record["hosts"] if entry["name"] != host.name]
        self.access.know(self.hosts)

    def remove(self) -> None:
        """Removes the hosts, the networks and the directory, also when only a part was made.

        After a restart of the machine the record is all that is left, and the slot may be another's.
        """
        for host in self.hosts:
            host.power_off()
        if self.network.signature() in ("", str(self.directory)):
            for host in self.hosts:
                host.remove()
            cgroups.remove(f"cloudburst-lab-{self.network.slot}")
            self.network.down()
        run("rm", "-rf", "--one-file-system", self.directory)
        _close_uplinks(self.directory.parent)

    @contextlib.contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """The record, to be changed and written by one thread or process at a time."""
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            record = self._record()
            yield record
            self._write(record)

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.directory / RECORD).read_text())
        return record

    def _write(self, record: object) -> None:
        draft = self.directory / f"{RECORD}.new"
        draft.write_text(json.dumps(record, indent=1))
        draft.replace(self.directory / RECORD)


def claim(runs: Path) -> Ground:
    """A place nobody has, with its networks up and a key made, owned by this process."""
    claimed = network.claim()
    directory = runs / f"{claimed.slot}-{os.getpid()}"
    directory.mkdir(parents=True)
    ground = Ground(directory, claimed)
    owner = [os.getpid(), _started(os.getpid())]
    ground._write({"slot": claimed.slot, "owner": owner, "hosts": [], "last": -1})
    claimed.sign(directory)
    claimed.up()
    _open_uplinks(runs)
    ground.access.create()
    return ground


def find(directory: Path) -> Ground:
    """The run recorded in a directory. Raises LabError when there is none."""
    file = directory / RECORD
    if not file.exists():
        raise LabError(f"no lab has the directory {directory}: `make lab` says which one it has")
    record = json.loads(file.read_text())
    return Ground(directory, Network(record["slot"]))


def abandoned(runs: Path, *, everyone: bool = False) -> Iterator[Ground]:
    """The runs whose process has ended; with `everyone`, the others too."""
    for file in sorted(runs.glob(f"*/{RECORD}")):
        pid, started = json.loads(file.read_text())["owner"]
        if everyone or _started(pid) != started:
            yield find(file.parent)


def _free_number(record: Mapping[str, Any]) -> int:
    """The next after the last one given that no host has: an address comes back as late as it can."""
    taken: set[int] = {entry["number"] for entry in record["hosts"]}
    after = int(record.get("last", -1)) + 1
    for place in range(after, after + PLACES):
        if place % PLACES not in taken:
            return place % PLACES
    raise LabError(f"all {PLACES} places for hosts on one ground are taken")


def _open_uplinks(runs: Path) -> None:
    """The first of several labs opens them, and leaves a note for the last."""
    if opened := network.open_uplinks():
        (runs / UPLINKS).write_text(json.dumps(opened))


def _close_uplinks(runs: Path) -> None:
    note = runs / UPLINKS
    if note.exists() and not any(runs.glob(f"*/{RECORD}")):
        network.close_uplinks(json.loads(note.read_text()))
        note.unlink()


def _started(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; None when it has ended, reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # After the name in parentheses, which may hold anything: the state is the third field, the start the 22nd.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
