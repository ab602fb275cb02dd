#!/usr/bin/python3 -I
"""A host's systemctl: the lab's hosts have no systemd, and this is the little of it that a rented machine's first boot uses.

Services are read from their unit files: ExecStartPre, ExecStart, ExecStartPost, ExecReload, ExecStop, Type (simple, exec,
oneshot), RemainAfterExit, Restart, RestartSec, the start limit, TimeoutStopSec, Environment, WorkingDirectory, WantedBy.
What is enabled and has its unit file under /etc starts at every boot, Before and After being kept. Other dependencies,
other kinds of units and sandboxes are not there. `ssh` and `docker` are what the host's first process runs.

Called as poweroff, halt, shutdown or reboot it is that.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

Sections = dict[str, dict[str, list[str]]]

UNITS = [Path(name) for name in ("/etc/systemd/system", "/run/systemd/system", "/lib/systemd/system")]
OWN = UNITS[0]
STATES = Path("/run/lab-units")
LOGS = Path("/var/log/lab-units")
HOLD = Path("/run/hold-docker")
DEFAULTS = {"Type": "simple", "Restart": "no", "RestartSec": "100ms", "TimeoutStopSec": "90s"}
FAILED, NOT_ACTIVE, NOT_LOADED = 1, 3, 5
TRUE = ("yes", "true", "on", "1")


class Refused(Exception):
    """A sentence for stderr, and the exit code."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


# ── unit files ───────────────────────────────────────────────────────────────────────────────
class Unit:
    """A unit by its name, with what its file and its drop-ins say: {"Service": {"ExecStart": ["…"]}}."""

    def __init__(self, name: str) -> None:
        self.name = full_name(name)
        self.file = next((place / self.name for place in UNITS if os.path.lexists(place / self.name)), None)
        if self.file is not None and self.file.is_symlink() and not self.masked:
            self.file = self.file.resolve()
            self.name = self.file.name
        self.sections: Sections = {}
        if self.file is not None and not self.masked:
            drops = sorted(drop for place in UNITS for drop in (place / f"{self.name}.d").glob("*.conf"))
            for file in (self.file, *drops):
                read_into(self.sections, file.read_text())

    @property
    def masked(self) -> bool:
        return any(os.path.realpath(place / self.name) == "/dev/null" for place in UNITS[:2])

    def all(self, key: str, section: str = "Service") -> list[str]:
        return self.sections.get(section, {}).get(key, [])

    def last(self, key: str, section: str = "Service") -> str:
        found = self.all(key, section)
        return found[-1] if found else DEFAULTS.get(key, "")

    def words(self, key: str, section: str) -> list[str]:
        return [word for line in self.all(key, section) for word in line.split()]

    def is_own(self) -> bool:
        """Was it brought to this host, and did not come with its image?"""
        return self.file is not None and self.file.parent == OWN

    def wants(self) -> list[Path]:
        """Where links enable it."""
        return [OWN / f"{target}.wants" / self.name for target in self.words("WantedBy", "Install")]

    def links(self) -> list[Path]:
        return sorted(OWN.glob(f"*.wants/{self.name}"))


def full_name(name: str) -> str:
    name = name if "." in name else f"{name}.service"
    return "ssh.service" if name == "sshd.service" else name


def read_into(sections: Sections, text: str) -> None:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;":
            key, _, value = (part.strip() for part in line.partition("="))
            values = sections.setdefault(section, {}).setdefault(key, [])
            values[:] = [*values, value] if value else []


def seconds(text: str) -> float:
    """A span as unit files write it: `5`, `5s`, `1min 30s`, `500ms`, `infinity`."""
    scale = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "": 1}
    total = 0.0
    for word in text.split():
        if word == "infinity":
            return threading.TIMEOUT_MAX
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        total += float(number) * scale[word[len(number) :]]
    return total


# ── running ──────────────────────────────────────────────────────────────────────────────────
class Service:
    """A unit that this host's own runs: one supervisor process for each, its notes under /run/lab-units."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.notes = STATES / unit.name
        self.stopping = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    # What the command line asks for.
    def state(self) -> str:
        """`active`, `activating`, `failed` or `inactive`."""
        said = self._note("state")
        if said in ("active", "activating") and self._note("supervisor") and not self._supervisor():
            return "failed"
        return said or "inactive"

    def start(self) -> None:
        if self.state() in ("active", "activating"):
            return
        kind = self.unit.last("Type")
        if kind not in ("simple", "exec", "oneshot"):
            raise Refused(f"{self.unit.name}: Type={kind} is not in the lab's systemctl")
        if not self.unit.all("ExecStart"):
            raise Refused(f"{self.unit.name}: Service has no ExecStart= setting. Refusing.")
        self.notes.mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        self._write(state="activating", supervisor="", main="")
        if kind == "oneshot":
            self._run_once()
        else:
            self._supervise_apart()

    def stop(self) -> None:
        supervisor = self._supervisor()
        if supervisor:
            os.kill(supervisor, signal.SIGTERM)
            while self._supervisor():
                time.sleep(0.02)
        elif self.state() == "active":
            self._all("ExecStop")
            self._write(state="inactive")

    def reload(self) -> None:
        if self.state() != "active":
            raise Refused(f"{self.unit.name} is not active, cannot reload.")
        if not self.unit.all("ExecReload"):
            raise Refused(f"Failed to reload {self.unit.name}: Job type reload is not applicable for unit.")
        if not self._all("ExecReload"):
            raise Refused(f"Job for {self.unit.name} failed.")

    def _run_once(self) -> None:
        done = self._all("ExecStartPre") and self._all("ExecStart") and self._all("ExecStartPost")
        stays = self.unit.last("RemainAfterExit").lower() in TRUE
        self._write(state=("active" if stays else "inactive") if done else "failed")
        if not done:
            raise Refused(f"Job for {self.unit.name} failed: see {LOGS}/{self.unit.name}.log")

    def _supervise_apart(self) -> None:
        command = [sys.executable, "-I", __file__, "supervise", self.unit.name]
        with self._log() as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while self._note("state") == "activating" and child.poll() is None:
            time.sleep(0.01)
        if self._note("state") == "failed":
            raise Refused(f"Job for {self.unit.name} failed: see {LOGS}/{self.unit.name}.log")

    # What the supervisor does.
    def supervise(self) -> None:
        signal.signal(signal.SIGTERM, self._end)
        self._write(supervisor=str(os.getpid()))
        burst = int(self.unit.last("StartLimitBurst", "Unit") or 5)
        interval = seconds(self.unit.last("StartLimitIntervalSec", "Unit") or "10s")
        starts: list[float] = []
        while True:
            starts = [*(one for one in starts if time.monotonic() - one < interval), time.monotonic()]
            if interval and len(starts) > burst:
                print(f"{self.unit.name}: Start request repeated too quickly.", flush=True)
                break
            code = self._once()
            if self.stopping.is_set() or not self._again(code):
                self._write(
                    state="inactive" if self.stopping.is_set() or code == 0 else "failed", supervisor=""
                )
                return
            self._write(state="activating")
            if self.stopping.wait(seconds(self.unit.last("RestartSec"))):
                break
        self._write(state="inactive" if self.stopping.is_set() else "failed", supervisor="")

    def _once(self) -> int:
        """Starts the program and waits for its end; its exit code, a signal's as a negative number."""
        if not self._all("ExecStartPre"):
            return 1
        may_fail, argv = command_line(self.unit, self.unit.all("ExecStart")[-1])
        try:
            with self._log() as log:
                self.process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env=self._environment(),
                    cwd=self._directory(),
                )
        except OSError as error:
            print(f"{self.unit.name}: {error}", flush=True)
            return 0 if may_fail else 203
        if self.stopping.is_set():
            self._end()
        self._write(main=str(self.process.pid), state="active")
        self._all("ExecStartPost")
        code = self.process.wait()
        kill_group(self.process.pid, signal.SIGKILL)
        if self.stopping.is_set():
            self._all("ExecStop")
        return 0 if may_fail else code

    def _again(self, code: int) -> bool:
        clean = code in (0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE)
        policy = self.unit.last("Restart")
        return policy == "always" or policy == ("on-success" if clean else "on-failure")

    def _end(self, *_: object) -> None:
        self.stopping.set()
        if self.process is not None and self.process.returncode is None:
            kill_group(self.process.pid, signal.SIGTERM)
            patience = threading.Timer(
                seconds(self.unit.last("TimeoutStopSec")), kill_group, (self.process.pid, signal.SIGKILL)
            )
            patience.daemon = True
            patience.start()

    # Its commands and notes.
    def _all(self, key: str) -> bool:
        """Runs every command of a setting, one after the other; did all that must succeed?"""
        for line in self.unit.all(key):
            may_fail, argv = command_line(self.unit, line, self._note("main"))
            try:
                with self._log() as log:
                    code = subprocess.run(
                        argv,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=self._environment(),
                        cwd=self._directory(),
                    ).returncode
            except OSError as error:
                code = 203
                with self._log() as log:
                    log.write(f"{self.unit.name}: {error}\n")
            if code and not may_fail:
                return False
        return True

    def _environment(self) -> dict[str, str]:
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/root"}
        for setting in (word for line in self.unit.all("Environment") for word in shlex.split(line)):
            name, _, value = setting.partition("=")
            environment[name] = value
        return environment

    def _directory(self) -> str:
        return self.unit.last("WorkingDirectory") or "/"

    def _log(self) -> TextIO:
        return (LOGS / f"{self.unit.name}.log").open("a")

    def _supervisor(self) -> int | None:
        """Its pid while it runs."""
        pid = self._note("supervisor")
        with contextlib.suppress(OSError):
            if pid and f"supervise\0{self.unit.name}" in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
        return None

    def _note(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self.notes / name).read_text()
        return ""

    def _write(self, **notes: str) -> None:
        for name, text in notes.items():
            draft = self.notes / f"{name}.new"
            draft.write_text(text)
            draft.replace(self.notes / name)


def command_line(unit: Unit, line: str, main: str = "") -> tuple[bool, list[str]]:
    """May it fail, and the words of a command line."""
    prefix = line[: len(line) - len(line.lstrip("-@:+!"))]
    known = {"%n": unit.name, "%N": unit.name.rpartition(".")[0], "%%": "%"}
    words = []
    for word in shlex.split(line[len(prefix) :]):
        for mark, text in {**known, "$MAINPID": main, "${MAINPID}": main}.items():
            word = word.replace(mark, text)
        words.append(word)
    return "-" in prefix, words


def kill_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


# ── what the host's first process runs ───────────────────────────────────────────────────────
class Ssh:
    """The host's sshd. Its sessions outlive it, as KillMode=process has it."""

    def state(self) -> str:
        return "active" if self._pid() else "inactive"

    def start(self) -> None:
        if not self._pid():
            self._ask("/usr/sbin/sshd", "-t")
            self._ask("/usr/sbin/sshd")

    def stop(self) -> None:
        pid = self._pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            while self._pid():
                time.sleep(0.02)

    def reload(self) -> None:
        pid = self._pid()
        if not pid:
            raise Refused("ssh.service is not active, cannot reload.")
        self._ask("/usr/sbin/sshd", "-t")
        os.kill(pid, signal.SIGHUP)

    def _ask(self, *argv: str) -> None:
        if subprocess.run(argv, stdin=subprocess.DEVNULL).returncode:
            raise Refused("Job for ssh.service failed.")

    def _pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            pid = int(Path("/run/sshd.pid").read_text())
            if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                return pid
        return None


class Docker:
    """The Docker daemon, which is started again whenever it ends, unless it is held."""

    def state(self) -> str:
        if subprocess.run(("pgrep", "-x", "dockerd"), stdout=subprocess.DEVNULL).returncode:
            return "inactive" if HOLD.exists() else "activating"
        return "active"

    def start(self) -> None:
        HOLD.unlink(missing_ok=True)
        for _ in range(600):
            asked = subprocess.run(
                ("docker", "version"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if asked.returncode == 0:
                return
            time.sleep(0.1)
        raise Refused("Job for docker.service failed: see /var/log/dockerd.log")

    def stop(self) -> None:
        HOLD.touch()
        self._signal("TERM")
        while self.state() == "active":
            time.sleep(0.05)

    def reload(self) -> None:
        self._signal("HUP")

    def _signal(self, name: str) -> None:
        subprocess.run(("pkill", f"-{name}", "-x", "dockerd"))


def service(unit: Unit) -> Ssh | Docker | Service | None:
    """What starts and stops a unit. Raises Refused when nothing here can."""
    if unit.name == "ssh.service":
        return Ssh()
    if unit.name == "docker.service":
        return Docker()
    if unit.masked or unit.file is None:
        return None
    if not unit.name.endswith(".service"):
        raise Refused(f"{unit.name}: the lab's systemctl runs services only")
    return Service(unit)


# ── commands ─────────────────────────────────────────────────────────────────────────────────
def runnable(unit: Unit, doing: str) -> Ssh | Docker | Service:
    """The unit's service. Raises Refused, in systemd's words, when it cannot be started."""
    if unit.masked:
        raise Refused(f"Failed to {doing} {unit.name}: Unit {unit.name} is masked.")
    if unit.file is None:
        raise Refused(f"Failed to {doing} {unit.name}: Unit {unit.name} not found.", NOT_LOADED)
    found = service(unit)
    assert found is not None
    return found


def start(unit: Unit, quiet: bool = False) -> None:
    runnable(unit, "start").start()


def stop(unit: Unit, quiet: bool = False) -> None:
    if unit.file is None:
        raise Refused(f"Failed to stop {unit.name}: Unit {unit.name} not loaded.", NOT_LOADED)
    if unit.name.endswith(".service") and not unit.masked:
        runnable(unit, "stop").stop()


def restart(unit: Unit, quiet: bool = False) -> None:
    found = runnable(unit, "restart")
    found.stop()
    found.start()


def try_restart(unit: Unit, quiet: bool = False) -> None:
    if runnable(unit, "restart").state() == "active":
        restart(unit)


def reload(unit: Unit, quiet: bool = False) -> None:
    runnable(unit, "reload").reload()


def enable(unit: Unit, quiet: bool = False) -> None:
    if unit.masked:
        raise Refused(f"Failed to enable unit: Unit file {OWN}/{unit.name} is masked.")
    if unit.file is None:
        raise Refused(f"Failed to enable unit: Unit file {unit.name} does not exist.")
    for link in (link for link in unit.wants() if not os.path.lexists(link)):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(unit.file)
        say(f"Created symlink {link} -> {unit.file}.", quiet)


def disable(unit: Unit, quiet: bool = False) -> None:
    if unit.file is None:
        raise Refused(f"Failed to disable unit: Unit file {unit.name} does not exist.")
    for link in unit.links():
        link.unlink()
        say(f"Removed {link}.", quiet)


def mask(unit: Unit, quiet: bool = False) -> None:
    place = OWN / unit.name
    if place.exists() and not place.is_symlink():
        raise Refused(f"Failed to mask unit: File {place} already exists.")
    place.unlink(missing_ok=True)
    place.symlink_to("/dev/null")
    say(f"Created symlink {place} -> /dev/null.", quiet)


def unmask(unit: Unit, quiet: bool = False) -> None:
    if unit.masked:
        (OWN / unit.name).unlink()
        say(f"Removed {OWN / unit.name}.", quiet)


def is_active(unit: Unit, quiet: bool = False) -> int:
    found = service(unit) if unit.name.endswith(".service") else None
    state = found.state() if found else "inactive"
    say(state, quiet)
    return 0 if state == "active" else NOT_ACTIVE


def is_failed(unit: Unit, quiet: bool = False) -> int:
    found = service(unit)
    state = found.state() if found else "inactive"
    say(state, quiet)
    return 0 if state == "failed" else FAILED


def is_enabled(unit: Unit, quiet: bool = False) -> int:
    if unit.file is None:
        raise Refused(f"Failed to get unit file state for {unit.name}: No such file or directory")
    state = (
        "masked" if unit.masked else "enabled" if unit.links() else "disabled" if unit.wants() else "static"
    )
    say(state, quiet)
    return 0 if state in ("enabled", "static") else FAILED


def status(unit: Unit, quiet: bool = False) -> int:
    if unit.file is None:
        raise Refused(f"Unit {unit.name} could not be found.", 4)
    found = service(unit)
    state = found.state() if found else "inactive"
    say(f"{unit.name}\n     Loaded: {'masked' if unit.masked else unit.file}\n     Active: {state}", quiet)
    return 0 if state == "active" else NOT_ACTIVE


def supervise(unit: Unit, quiet: bool = False) -> None:
    Service(unit).supervise()


def start_enabled() -> None:
    """At boot: what was brought to this host and is enabled, in order; `docker` has its place among them."""
    linked = sorted({link.name for link in OWN.glob("*.wants/*")})
    units = [unit for unit in map(Unit, linked) if unit.is_own() and unit.name.endswith(".service")]
    for unit in in_order([*units, Unit("docker")]):
        try:
            if unit.name != "docker.service" or not HOLD.exists():
                runnable(unit, "start").start()
        except Refused as refused:
            print(refused, file=sys.stderr)


def in_order(units: Iterable[Unit]) -> list[Unit]:
    """After and Before kept among these; where they contradict each other, by name."""
    units = list(units)
    names = {unit.name for unit in units}
    earlier = {unit.name: set(unit.words("After", "Unit")) & names for unit in units}
    for unit in units:
        for later in set(unit.words("Before", "Unit")) & names:
            earlier[later].add(unit.name)
    left, ordered = units, list[Unit]()
    while left:
        waiting = {unit.name for unit in left}
        first = next((unit for unit in left if not earlier[unit.name] & waiting), left[0])
        left.remove(first)
        ordered.append(first)
    return ordered


def say(sentence: str, quiet: bool) -> None:
    if not quiet:
        print(sentence)


VERBS: dict[str, Callable[[Unit, bool], int | None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        *(start, stop, restart, try_restart, reload, enable, disable, mask, unmask),
        *(is_active, is_failed, is_enabled, status, supervise),
    )
}
FOR_THE_HOST: dict[str, Callable[[], None]] = {
    "daemon-reload": lambda: None,
    "reset-failed": lambda: None,
    "is-system-running": lambda: print("running"),
    "start-enabled": start_enabled,
    "poweroff": lambda: os.kill(1, signal.SIGPWR),
    "halt": lambda: os.kill(1, signal.SIGPWR),
    "reboot": lambda: os.kill(1, signal.SIGINT),
}
NOW: dict[str, Callable[[Unit], None]] = {"enable": start, "disable": stop, "mask": stop}
IGNORED = (
    "--no-pager",
    "--no-block",
    "--system",
    "--full",
    "-l",
    "--force",
    "-f",
    "--no-wall",
    "--no-ask-password",
)


def main(argv: list[str]) -> int:
    """Runs one command; the exit code."""
    if argv[0] != "systemctl":
        return switch_off(argv)
    options = [word for word in argv[1:] if word.startswith("-") and word not in IGNORED]
    verb, *names = [word for word in argv[1:] if not word.startswith("-")] or ["list-units"]
    quiet = not {"-q", "--quiet"}.isdisjoint(options)
    strange = [option for option in options if option not in ("-q", "--quiet", "--now")]
    if strange or (verb not in VERBS and verb not in FOR_THE_HOST):
        raise Refused(f"the lab's systemctl does not know {' '.join(strange) or verb}")
    if verb in FOR_THE_HOST:
        FOR_THE_HOST[verb]()
        return 0
    return max(one_by_one(verb, names, quiet, "--now" in options), default=FAILED)


def one_by_one(verb: str, names: list[str], quiet: bool, now: bool) -> Iterator[int]:
    for name in names:
        try:
            code = VERBS[verb](Unit(name), quiet) or 0
            if now and verb in NOW:
                NOW[verb](Unit(name))
            yield code
        except Refused as refused:
            print(refused, file=sys.stderr)
            yield refused.code


def switch_off(argv: list[str]) -> int:
    """`poweroff`, `halt`, `reboot`, `shutdown -h now`, `shutdown -r now`."""
    moments = [word for word in argv[1:] if not word.startswith("-")]
    if argv[0] == "shutdown" and moments[:1] not in (["now"], ["+0"]):
        raise Refused("the lab's shutdown knows `now` only")
    anew = argv[0] == "reboot" or "-r" in argv[1:]
    FOR_THE_HOST["reboot" if anew else "poweroff"]()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main([os.path.basename(sys.argv[0]), *sys.argv[1:]]))
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(refused.code)
