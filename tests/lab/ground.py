"""What hosts stand on: a directory that records all that was made for one run, so that it can be removed.

A run belongs to the process that made it. When that process is gone, `abandoned` finds its record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import cgroups, network
from .access import Access
from .commands import LabError, run
from .host import Host, Size
from .network import Network

RECORD = "run.json"
UPLINKS = "uplinks.json"


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
            )
            for entry in self._record()["hosts"]
        )

    def add(self, name: str, size: Size, image: Path, layers: Path | None) -> Host:
        """A new host, not switched on yet, whose Docker daemon will find the images of `layers`."""
        record = self._record()
        number = max((entry["number"] for entry in record["hosts"]), default=-1) + 1
        entry = {"name": name, "number": number, "size": asdict(size)}
        record["hosts"].append({**entry, "image": str(image), "layers": layers and str(layers)})
        self._write(record)
        host = next(host for host in self.hosts if host.name == name)
        host.prepare(self.access.authorized_key(), self.access.host_key(name))
        self.access.know(self.hosts)
        return host

    def drop(self, host: Host) -> None:
        """Removes a host and all that was made for it."""
        host.remove()
        record = self._record()
        record["hosts"] = [entry for entry in record["hosts"] if entry["name"] != host.name]
        self._write(record)
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
    ground._write({"slot": claimed.slot, "owner": [os.getpid(), _started(os.getpid())], "hosts": []})
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
