"""One host of the lab: its own process tree, network, root file system, sshd and dockerd.

A host is nothing but its directory: whoever has that directory can ask it, cut it off, switch it
off and on, from any process on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
from collections.abc import Iterable, Mapping
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
class Disk:
    """What a host keeps when it is off: its changes to the image, and Docker's directory."""

    directory: Path

    @property
    def upper(self) -> Path:
        return self.directory / "upper"

    @property
    def docker(self) -> Path:
        return self.directory / "docker"

    def copy(self, to: Disk) -> None:
        """Copies it, as it is at this moment."""
        to.directory.mkdir(parents=True, exist_ok=True)
        for part, place in ((self.upper, to.upper), (self.docker, to.docker)):
            run("cp", "--archive", "--reflink=auto", part, place)


@dataclass(frozen=True)
class Host:
    """A host by its directory. `number` is its place in the networks: 0 is the first.

    `image` is the root file system it starts from, `layers` the Docker images it starts with. Its name is
    its own on this ground; `hostname`, what it calls itself, need not be.
    """

    name: str
    number: int
    network: Network
    directory: Path
    image: Path
    layers: Path | None
    size: Size
    hostname: str

    @property
    def place(self) -> int:
        """The last part of its addresses."""
        return FIRST + self.number

    @property
    def public_address(self) -> str:
        return str(self.network.public[self.place])

    @property
    def private_address(self) -> str:
        return str(self.network.private[self.place])

    # ── made and removed ─────────────────────────────────────────────────────────────────────
    def prepare(self, identity: Mapping[str, str], disk: Disk | None = None) -> None:
        """Writes what tells this host from its image, and plugs it in. It is not switched on yet.

        `identity` has texts of files by their paths (`entered_by`, or a seed); only root may read them. The disk
        it starts with is empty, or a copy of `disk`.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        own = Disk(self.directory)
        if disk is None:
            own.upper.mkdir()
            self._share_layers(own.docker)
        else:
            disk.copy(own)
        files = {
            "etc/hostname": f"{self.hostname}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.hostname}\n",
            "etc/resolv.conf": _resolvers(),
            "etc/docker/daemon.json": json.dumps({"log-level": "warn"}),
            **identity,
        }
        for name, text in files.items():
            _write(own.upper, name, text, mode=0o600 if name in identity else 0o644)
        for name, source in _PROGRAMS.items():
            _write(own.upper, name, (BOOT / source).read_text(), mode=0o755)
        for name in _SWITCHES:
            (own.upper / name).unlink(missing_ok=True)
            (own.upper / name).symlink_to("/usr/bin/systemctl")
        self.plug_in()
        self.fit(self.size)

    def _share_layers(self, docker: Path) -> None:
        """Docker's directory; the layers in it by hard link, since a daemon never writes into one."""
        docker.mkdir(mode=0o710)
        if self.layers is not None:
            run("cp", "--archive", "--link", self.layers / "overlay2", docker)
            run("cp", "--archive", self.layers / "image", docker)

    def plug_in(self) -> None:
        """Its network namespace and cables."""
        self.network.plug_in(self.name, self.place)

    def fit(self, size: Size) -> None:
        """Writes down the memory that programs inside are told of."""
        (self.directory / "meminfo").write_text(_meminfo(size.memory_mb * 1024))

    def remove(self) -> None:
        """Switches the host off and removes everything of it, also when only a part was made."""
        self.power_off()
        self.network.unplug(self.name, self.place)
        cgroups.remove(self._group)
        run("rm", "-rf", "--one-file-system", self.directory)

    # ── power ────────────────────────────────────────────────────────────────────────────────
    @property
    def is_on(self) -> bool:
        return self._holder() is not None

    def power_on(self) -> None:
        """Switches the host on; returns when its sshd and its Docker daemon answer."""
        self.switch_on()
        self.wait_for_ssh()
        self.wait_for_docker()

    def switch_on(self) -> None:
        """Switches the host on, and waits for nothing."""
        if self.is_on:
            raise LabError(f"{self.name} is on already")
        procs = cgroups.create(self._group, cpus=self.size.cpus, memory_mb=self.size.memory_mb)
        run(
            "bash",
            BOOT / "launch.sh",
            self.directory,
            self.network.netns(self.name),
            self.image,
            self.hostname,
            *procs,
            env=ENVIRONMENT,
        )

    def power_off(self) -> None:
        """Pulls the plug: every process of the host is gone at once, its disks stay as they were."""
        until(self._killed, f"{self.name} is off", 20)

    def _killed(self) -> bool:
        """Is the host off? If not, kills its first process; one that is being switched on has none yet."""
        holder = self._holder()
        if holder is None:
            return True
        # The end of a process namespace's first process is the end of all its processes.
        for pid in _children(holder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return False

    def shut_down(self) -> None:
        """Asks the host to switch itself off, as `poweroff` inside does, and waits for nothing."""
        self.sh("poweroff")

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
        self.network.switch(self.place, "down")

    def heal(self) -> None:
        """Puts both cables back."""
        self.network.switch(self.place, "up")

    def block_egress(self) -> None:
        """Closes the way out of the lab (package indexes, name servers); the lab's networks stay."""
        self.network.cut_off(self.place, cut=True)

    def allow_egress(self) -> None:
        """Opens the way out of the lab again."""
        self.network.cut_off(self.place, cut=False)

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


def entered_by(authorized_key: str, host_key: str) -> Mapping[str, str]:
    """The identity of a host whose keys the lab makes: who may enter, and by which key it is known."""
    return {
        "etc/ssh/sshd_config.d/lab.conf": _SSHD,
        "etc/ssh/ssh_host_lab_key": host_key,
        "root/.ssh/authorized_keys": authorized_key,
    }


_PROGRAMS = {"usr/sbin/lab-init": "init.sh", "usr/bin/systemctl": "systemctl.py"}
_SWITCHES = ("usr/sbin/poweroff", "usr/sbin/halt", "usr/sbin/reboot", "usr/sbin/shutdown")
_SSHD = """\
HostKey /etc/ssh/ssh_host_lab_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxStartups 100:30:200
MaxSessions 100
"""


def _write(upper: Path, name: str, text: str, *, mode: int) -> None:
    """A file, and the directories over it; root's own are closed to others."""
    place = upper / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)
    for private in {Path("root"), Path("root/.ssh")} & set(Path(name).parents):
        (upper / private).chmod(0o700)


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
