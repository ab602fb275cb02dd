"""One host of the lab: its own process tree, network, root file system, sshd and dockerd.

A host is nothing but its directory: whoever has that directory can ask it, cut it off, switch it
off and on, from any process on this machine.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import cgroups
from .commands import ENVIRONMENT, LabError, alive, run, succeeds, until
from .network import Network

BOOT = Path(__file__).resolve().parent / "boot"
FIRST = 10
"""The last part of the first host's addresses."""


@dataclass(frozen=True)
class Size:
    """What a host has: processors it may use, and memory in MB (a real limit)."""

    cpus: int = 2
    memory_mb: int = 2048


@dataclass(frozen=True)
class Host:
    """A host by its directory. `number` is its place in the networks: 0 is the first.

    `image` is the root file system it starts from, `layers` the Docker images it starts with.
    """

    name: str
    number: int
    network: Network
    directory: Path
    image: Path
    layers: Path | None
    size: Size

    @property
    def public_address(self) -> str:
        return str(self.network.public[FIRST + self.number])

    @property
    def private_address(self) -> str:
        return str(self.network.private[FIRST + self.number])

    # ── made and removed ─────────────────────────────────────────────────────────────────────
    def prepare(self, authorized_key: str, host_key: Path) -> None:
        """Writes what tells this host from its image, and plugs it in. It is not switched on yet."""
        upper = self.directory / "upper"
        files = {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n",
            "etc/resolv.conf": _resolvers(),
            "etc/docker/daemon.json": json.dumps({"log-level": "warn"}),
            "etc/ssh/sshd_config.d/lab.conf": _SSHD,
            "root/.ssh/authorized_keys": authorized_key,
        }
        for name, text in files.items():
            place = upper / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        shutil.copy(host_key, upper / "etc/ssh/ssh_host_lab_key")
        (upper / "usr/sbin").mkdir(parents=True)
        shutil.copy(BOOT / "init.sh", upper / "usr/sbin/lab-init")
        (upper / "usr/sbin/lab-init").chmod(0o755)
        for private in ("root", "root/.ssh"):
            (upper / private).chmod(0o700)
        self._share_layers()
        (self.directory / "meminfo").write_text(_meminfo(self.size.memory_mb * 1024))
        self.network.plug_in(self.name, FIRST + self.number)

    def _share_layers(self) -> None:
        """Docker's directory; the layers in it by hard link, since a daemon never writes into one."""
        docker = self.directory / "docker"
        docker.mkdir(mode=0o710)
        if self.layers is not None:
            run("cp", "--archive", "--link", self.layers / "overlay2", docker)
            run("cp", "--archive", self.layers / "image", docker)

    def remove(self) -> None:
        """Switches the host off and removes everything of it, also when only a part was made."""
        self.power_off()
        self.network.unplug(self.name, FIRST + self.number)
        cgroups.remove(self._group)
        run("rm", "-rf", "--one-file-system", self.directory)

    # ── power ────────────────────────────────────────────────────────────────────────────────
    @property
    def is_on(self) -> bool:
        return self._holder() is not None

    def power_on(self) -> None:
        """Switches the host on; returns when its sshd and its Docker daemon answer."""
        if self.is_on:
            raise LabError(f"{self.name} is on already")
        procs = cgroups.create(self._group, cpus=self.size.cpus, memory_mb=self.size.memory_mb)
        run(
            "bash",
            BOOT / "launch.sh",
            self.directory,
            self.network.netns(self.name),
            self.image,
            self.name,
            *procs,
            env=ENVIRONMENT,
        )
        self.wait_for_ssh()
        self.wait_for_docker()

    def power_off(self) -> None:
        """Pulls the plug: every process of the host is gone at once, its disks stay as they were."""
        holder = self._holder()
        if holder is None:
            return
        # The end of a process namespace's first process is the end of all its processes.
        for pid in _children(holder):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self.is_on, f"{self.name} is off", 20)

    def reboot(self) -> None:
        """Stops the Docker daemon in peace, then switches off and on."""
        self.stop_daemon()
        self.power_off()
        self.power_on()

    def wait_for_ssh(self, seconds: float = 60) -> None:
        """Returns once sshd answers at the public address."""
        until(lambda: _accepts(self.public_address, 22), f"sshd of {self.name} answers", seconds)

    def wait_for_docker(self, seconds: float = 60) -> None:
        """Returns once the Docker daemon answers."""
        until(self._docker_answers, f"dockerd of {self.name} answers", seconds)

    # ── inside ───────────────────────────────────────────────────────────────────────────────
    def sh(self, script: str, *, stdin: str | None = None, seconds: float = 120) -> str:
        """What a shell script, run as root inside, says on stdout. Raises LabError when it fails.

        Not by way of ssh: it works on a host that is cut off.
        """
        return run(*self.command("bash", "-c", script), stdin=stdin, seconds=seconds, env=ENVIRONMENT)

    def docker(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """What `docker …`, run inside, says on stdout."""
        return self.sh(shlex.join(("docker", *arguments)), stdin=stdin, seconds=seconds)

    def command(self, *argv: str) -> tuple[str, ...]:
        """The command of this machine that runs `argv` inside the host."""
        return ("nsenter", "--target", str(self._init()), "--all", *argv)

    # ── faults ───────────────────────────────────────────────────────────────────────────────
    def partition(self) -> None:
        """Takes both cables out."""
        self.network.switch(FIRST + self.number, "down")

    def heal(self) -> None:
        """Puts both cables back."""
        self.network.switch(FIRST + self.number, "up")

    def block_egress(self) -> None:
        """Closes the way out of the lab (package indexes, name servers); the lab's networks stay."""
        self.network.cut_off(FIRST + self.number, cut=True)

    def allow_egress(self) -> None:
        """Opens the way out of the lab again."""
        self.network.cut_off(FIRST + self.number, cut=False)

    def kill_daemon(self, *, comes_back: bool = False) -> None:
        """Kills the Docker daemon with SIGKILL, its containers go on.

        It stays down until `start_daemon`; with `comes_back` the host starts it again after 2 s, as
        its unit file would.
        """
        if not comes_back:
            self.sh("touch /run/hold-docker")
        self.sh("pkill -KILL -x dockerd")

    def stop_daemon(self) -> None:
        """Ends the Docker daemon with SIGTERM, and with it its containers, until `start_daemon`."""
        self.sh("touch /run/hold-docker; pkill -TERM -x dockerd || true")
        until(lambda: not self._runs("dockerd"), f"dockerd of {self.name} has ended", 60)

    def start_daemon(self) -> None:
        """Lets the Docker daemon come back; returns when it answers."""
        self.sh("rm -f /run/hold-docker")
        self.wait_for_docker()

    def small_disk(self, path: str, megabytes: int) -> None:
        """Mounts a disk of this size at a directory inside; it lasts until the host is switched off.

        Containers that were started before do not see it.
        """
        self.sh(f"mkdir -p {path} && mount -t tmpfs -o mode=755,size={megabytes}m lab-disk {path}")

    def small_volume(self, volume: str, megabytes: int) -> None:
        """Makes the named Docker volume, on a disk of its own of this size (see `small_disk`)."""
        self.docker("volume", "create", volume)
        self.small_disk(f"/var/lib/docker/volumes/{volume}/_data", megabytes)

    def fill(self, path: str) -> None:
        """Fills the disk under a directory to its last byte with one file there, `ballast`."""
        self.sh(f"dd if=/dev/zero of={path}/ballast bs=64k status=none 2>/dev/null || true")

    def unfill(self, path: str) -> None:
        """Removes the file that filled the disk."""
        self.sh(f"rm -f {path}/ballast")

    # ── seen from outside ────────────────────────────────────────────────────────────────────
    def reachable_ports(
        self, address: str | None = None, ports: Iterable[int] = range(1, 65536)
    ) -> tuple[int, ...]:
        """The TCP ports that accept a connection from outside; without `address`, of the public one."""
        asked = address or self.public_address
        return tuple(port for port in ports if _accepts(asked, port))

    # ── its processes ────────────────────────────────────────────────────────────────────────
    @property
    def _group(self) -> str:
        return f"cloudburst-lab-{self.network.slot}/{self.name}"

    def _holder(self) -> int | None:
        """The process outside that holds the host's namespaces, when the host is on."""
        try:
            pid = int((self.directory / "pid").read_text())
        except OSError:
            return None
        return pid if alive(pid, f"{self.directory}") else None

    def _init(self) -> int:
        """The host's process 1, as this machine numbers it."""
        holder = self._holder()
        if holder is None:
            raise LabError(f"{self.name} is off")
        until(
            lambda: _children(holder), f"{self.name} has a first process (see {self.directory}/boot.log)", 5
        )
        return _children(holder)[0]

    def _docker_answers(self) -> bool:
        return succeeds("env", "-i", f"PATH={ENVIRONMENT['PATH']}", *self.command("docker", "version"))

    def _runs(self, program: str) -> bool:
        return succeeds(*self.command("pgrep", "-x", program))


_SSHD = """\
HostKey /etc/ssh/ssh_host_lab_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxStartups 100:30:200
MaxSessions 100
"""


def _resolvers() -> str:
    """This machine's name servers, in a form that means the same inside a host."""
    stub = Path("/run/systemd/resolve/resolv.conf")
    text = Path("/etc/resolv.conf").read_text()
    return stub.read_text() if "127.0.0.53" in text and stub.exists() else text


def _meminfo(kilobytes: int) -> str:
    """/proc/meminfo of a host that has just started: the swarm reads its size there."""
    amounts = {
        "MemTotal": kilobytes,
        "MemFree": kilobytes // 2,
        "MemAvailable": kilobytes * 3 // 4,
        "Buffers": 0,
        "Cached": kilobytes // 4,
        "SwapCached": 0,
        "Active": 0,
        "Inactive": 0,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':<15} {amount} kB\n" for name, amount in amounts.items())


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _accepts(address: str, port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((address, port)) == 0
