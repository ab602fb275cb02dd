#!/usr/bin/env python3
"""Installs CloudBurst into a stock Python container, once per volume, and becomes one of its programs.

    entry.py run PROGRAM --digest SHA256 [-- ARGUMENT…]
    entry.py bake PROGRAM --digest SHA256     install into an image, for worker/Dockerfile
    entry.py healthy PROGRAM                  for Docker's health checks

Standard library only; an older Python than it needs must still be able to read it and say so. The code
comes in one bundle, whose digest the stack file names; packages come from the package index, by hash.
A program that is installed already starts without network.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Program(NamedTuple):
    """`start`: arguments for Python; `requirements`: its packages, in the bundle; `port`: where it answers."""

    start: tuple[str, ...]
    requirements: str | None
    port: int | None
    umask: int = 0o077


PROGRAMS = {
    "controller": Program(("-m", "cloudburst.run.controller"), "requirements/controller.txt", 8080),
    # nginx, another user, reads what the file store wrote.
    "files": Program(("-m", "cloudburst.run.file_store"), None, 8080, umask=0o022),
    "worker": Program(("-m", "cloudburst_worker"), "requirements/worker.txt", None),
    "dashboard": Program(("-m", "rq_dashboard"), "requirements/dashboard.txt", 9181),
}

HOME = Path("/var/tmp/cloudburst")  # noqa: S108 - a volume: docs/swarm-stack.md says why it lies there
BUNDLE = Path("/cloudburst/bundle.zip.xz")
BAKED = Path("/opt/cloudburst")
SECRETS = Path("/run/secrets")
STARTED = Path("/tmp/cloudburst.pid")  # noqa: S108 - a tmpfs of this container alone

OLDEST = (3, 11)
"""The Python the programs are written for."""
PYTHON = "bin/python"
"""In an environment."""
LARGEST = 50_000_000
"""Bytes of an uncompressed bundle; ours has about one million."""
KEPT = 2
"""Versions of a program that stay on a volume: this one, and the one to go back to."""
PAUSES = (5, 10, 20, 40, 60)
"""Seconds between attempts to install; the last one is repeated."""


class NotYet(Exception):
    """An installation that failed; the same one may work later."""


def say(sentence: str) -> None:
    print(f"cloudburst: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - the container's log


# ── what is installed: the code, and an environment for each program ─────────────────────────
Make = Callable[[Path], None]


def obtain(given: argparse.Namespace, name: str, mark: str, make: Make) -> Path:
    """The directory `name`, from the image or made on the volume; it has `mark` inside when it is whole."""
    if (given.baked / name / mark).exists():
        return Path(given.baked / name)
    place = Path(given.home, "programs", name)
    hold(place, mark, make)
    remove_old(place)
    return place


def hold(place: Path, mark: str, make: Make) -> None:
    """Makes it unless it is there, and says "in use" by a lock for as long as this process lives.

    Who holds the lock alone may make or remove, who shares it may use what is there.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    while True:
        lock = os.open(lock_of(place), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        if (place / mark).exists():
            os.utime(place)
            os.set_inheritable(lock, True)
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / mark).exists():
            make_at_last(place, make)
        os.close(lock)


def lock_of(place: Path) -> Path:
    return place.with_name(place.name + ".lock")


def make_at_last(place: Path, make: Make) -> None:
    """Tries until it works: a restart of the container would do no more."""
    attempt = 0
    while True:
        try:
            say(f"installing {place.name}")
            make_whole(place, make)
        except (NotYet, OSError) as error:
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            say(f"{place.name} cannot be installed: {error}\ncloudburst: next attempt in {pause} s")
            time.sleep(pause)
            attempt += 1
        else:
            return


def make_whole(place: Path, make: Make) -> None:
    """The directory appears when all of it is there."""
    half = place.with_name(f".{place.name}.half")
    remove(half)
    remove(place)
    half.mkdir()
    make(half)
    os.sync()  # a power cut must not leave empty files under a name that means "whole"
    half.rename(place)


def remove_old(current: Path) -> None:
    """Of other versions what nobody uses, but for the latest ones."""
    kind = current.name.partition("-")[0]
    others = [place for place in current.parent.glob(f"{kind}-*") if place.is_dir() and place != current]
    others.sort(key=lambda place: place.stat().st_mtime, reverse=True)
    for place in others[KEPT - 1 :]:
        with lock_of(place).open("a") as lock, contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(place)


def remove(place: Path) -> None:
    """A directory with all that is in it; nothing there is fine."""
    if place.exists():
        shutil.rmtree(place)


# ── the code ─────────────────────────────────────────────────────────────────────────────────
def code_name(digest: str) -> str:
    return f"code-{digest[:12]}"


def unpack(bundle: Path, digest: str, into: Path) -> None:
    for name, content in read_bundle(bundle, digest).items():
        file = into / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    command([sys.executable, "-I", "-m", "compileall", "-q", str(into)])


def read_bundle(bundle: Path, digest: str) -> Mapping[str, bytes]:
    """Name -> content. Nothing is written before the digest, of the uncompressed zip, is right."""
    import io
    import lzma
    import zipfile

    packed = lzma.LZMADecompressor().decompress(bundle.read_bytes(), LARGEST)
    found = hashlib.sha256(packed).hexdigest()
    if found != digest:
        raise SystemExit(f"cloudburst: {bundle} is not what the stack file names: {found}, not {digest}")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for name in files:
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise SystemExit(f"cloudburst: {bundle} has a file that would lie elsewhere: {name!r}")
    return files


# ── the environment ──────────────────────────────────────────────────────────────────────────
def environment_name(program: str, requirements: bytes) -> str:
    """Of its packages and the Python it is made with: another version of the code may find it ready."""
    import sysconfig

    maker = f"{sys.base_prefix} {sysconfig.get_config_var('SOABI')}"
    return f"{program}-{hashlib.sha256(requirements + maker.encode()).hexdigest()[:12]}"


def make_environment(requirements: Path | None, into: Path) -> None:
    command([sys.executable, "-I", "-m", "venv", "--without-pip", str(into)])
    if requirements:
        pip = [sys.executable, "-I", "-m", "pip", "--python", str(into / PYTHON), "--no-input"]
        quiet = ["--disable-pip-version-check", "--no-cache-dir"]
        hashed = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(requirements)]
        command([*pip, "install", *quiet, *hashed])


def command(words: list[str]) -> None:
    """Runs it in silence. Raises NotYet with the end of what it said when it fails."""
    import subprocess

    ended = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if ended.returncode:
        said = ended.stdout.decode("utf-8", "replace").strip().splitlines()
        raise NotYet("\n".join([f"{words[3]} ended with {ended.returncode}", *said[-12:]]))


# ── run ──────────────────────────────────────────────────────────────────────────────────────
def run(given: argparse.Namespace) -> int:
    """Becomes the program: its signals and its exit code are this process's."""
    os.umask(PROGRAMS[given.program].umask)
    os.environ.update(for_package_tools(given.secrets, os.environ))
    try:
        code, environment = install(given, partial(obtain, given))
    except OSError as error:
        raise SystemExit(f"cloudburst: the volume at {given.home} cannot be used: {error}") from error
    given.started.write_text(str(os.getpid()))
    os.chdir(code)  # Python looks for modules where it is started, whatever an image has there
    os.environ.pop("PYTHONHOME", None)
    os.environ["PYTHONPATH"] = str(code)
    python = str(environment / PYTHON)
    os.execv(python, [python, *PROGRAMS[given.program].start, *arguments_of(given)])  # noqa: S606


def install(given: argparse.Namespace, obtain: Callable[[str, str, Make], Path]) -> tuple[Path, Path]:
    """The code, and the program's environment."""
    name, wanted = given.program, PROGRAMS[given.program].requirements
    code = obtain(code_name(given.digest), ".", partial(unpack, given.bundle, given.digest))
    requirements = code / wanted if wanted else None
    packages = requirements.read_bytes() if requirements else b""
    make = partial(make_environment, requirements)
    return code, obtain(environment_name(name, packages), PYTHON, make)


def arguments_of(given: argparse.Namespace) -> list[str]:
    """A worker's node is known only to Docker, which puts it into the environment of each task."""
    named = given.program == "worker" and given.arguments[:1] == ["supervise"]
    return [*given.arguments, *(["--node", os.environ["CLOUDBURST_NODE"]] if named else [])]


def for_package_tools(secrets: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Of `worker.env`: where packages come from, so that pip and uv here ask the index the user asks."""
    try:
        values = json.loads((secrets / "environment.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE"}
    return {
        name: value
        for name, value in values.items()
        if name not in environment and (name.startswith(("PIP_", "UV_")) or name.upper() in proxies)
    }


def bake(given: argparse.Namespace) -> int:
    """Installs where `run` looks first; once, with the error in the build's output."""

    def put(name: str, _: str, make: Make) -> Path:
        make_whole(given.baked / name, make)
        return Path(given.baked, name)

    os.umask(0o022)
    given.baked.mkdir(parents=True, exist_ok=True)
    try:
        install(given, put)
    except (NotYet, OSError) as error:
        say(f"{given.program} cannot be installed: {error}")
        return 1
    return 0


# ── healthy ──────────────────────────────────────────────────────────────────────────────────
def healthy(given: argparse.Namespace) -> int:
    """0: it answers HTTP, were it only to refuse us; a worker: it was started and is not gone or stopped.

    A worker is asked for no more: a queue that is away for a while is no reason to kill its jobs.
    """
    port = PROGRAMS[given.program].port
    alive = answers(port) if port else is_running(given.started)
    return 0 if alive else 1


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        return line.recv(5) == b"HTTP/"
    return False


def is_running(started: Path) -> bool:
    with contextlib.suppress(OSError, IndexError):
        status = Path("/proc", started.read_text(), "stat").read_text()
        return status.rpartition(")")[2].split()[0] not in "TtZX"
    return False


# ── the command line ─────────────────────────────────────────────────────────────────────────
def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=HOME, help="the volume's directory")
    parser.add_argument("--started", type=Path, default=STARTED, help="holds the program's process id")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (("run", "become a program"), ("bake", "install into an image")):
        command = commands.add_parser(name, help=summary)
        command.add_argument("program", choices=sorted(PROGRAMS))
        command.add_argument("--digest", required=True, help="the sha256 of the bundle, uncompressed")
        command.add_argument("--bundle", type=Path, default=BUNDLE)
        command.add_argument("--baked", type=Path, default=BAKED, help="where an image may have it")
        command.add_argument("--secrets", type=Path, default=SECRETS)
    command = commands.add_parser("healthy", help="whether a program answers")
    command.add_argument("program", choices=sorted(PROGRAMS))
    return parser


COMMANDS = {"run": run, "bake": bake, "healthy": healthy}


def main(words: list[str]) -> int:
    """What stands after `--` is the program's own."""
    split = words.index("--") if "--" in words else len(words)
    given = arguments().parse_args(words[:split])
    given.arguments = words[split + 1 :]
    if sys.version_info < OLDEST:
        raise SystemExit(
            "cloudburst: this image has Python {}.{}; one with {}.{} or newer is needed".format(
                *sys.version_info[:2], *OLDEST
            )
        )
    return COMMANDS[given.command](given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
