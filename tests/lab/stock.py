"""What a lab is made from, made once and kept: the hosts' root file system and the images' layers.

Everything comes from Debian packages, but for the Python image, which holds the interpreter that runs
the tests. The images carry the official names and a label that says what they stand in for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import ground
from .commands import PATH, LabError, run
from .host import Host, Size

SUITE = "bookworm"
SUITE_PYTHON = (3, 11)
RECIPES = Path(__file__).resolve().parent / "images"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
HOST_PACKAGES = (
    "cloud-init",
    "curl",
    "docker.io",
    "iproute2",
    "iptables",
    "iputils-ping",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "util-linux",
)
PYTHON = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
FIRST_IMAGES = {
    "python": PYTHON,
    "redis": "redis:7.2-alpine",
    "nginx": "nginx:1.28-alpine",
    "influxdb": "influxdb:1.8",
}
STUBS = {
    "grafana": "grafana/grafana:11.6.0",
    "visualizer": "dockersamples/visualizer:stable",
}
KINDS = ("debian-", "host-", "layers-")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Stock:
    """Directories nobody writes into: the hosts' root file system, and the images' layers."""

    host: Path
    layers: Path


def cache() -> Path:
    """Where the stock and the runs are: CLOUDBURST_LAB_CACHE, or a directory in the user's cache."""
    chosen = os.environ.get("CLOUDBURST_LAB_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "cloudburst-lab"


def runs() -> Path:
    """Where labs keep what they made; beside the stock, whose layers they link to."""
    return cache() / "runs"


def prepare(tell: Tell) -> Stock:
    """The stock, made when it is not there (a few minutes), by one process at a time."""
    with alone():
        debian_key = _key(SUITE, mirror())
        debian = _kept("debian", debian_key, _make_debian, tell)
        host_key = _key(debian_key, *HOST_PACKAGES)
        host = _kept("host", host_key, lambda place: _make_host(debian, place), tell)
        layers = _kept("layers", _images_key(host_key), lambda place: _make_layers(debian, host, place), tell)
    return Stock(host, layers)


def discard() -> None:
    """Removes the stock, and what was made of it by halves; not the runs."""
    with alone():
        for place in (path for path in cache().iterdir() if path.name.startswith(KINDS)):
            run("rm", "-rf", "--one-file-system", place)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Waits until no other process makes the stock or clears up, and is that process."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copyable_prefix() -> Path | None:
    """The prefix of the running interpreter when it can be copied; None for a distribution's own."""
    prefix = Path(sys.base_prefix)
    return None if prefix == Path("/usr") else prefix


def mirror() -> str:
    """The Debian archive this machine itself uses."""
    wanted = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    with contextlib.suppress(LabError, FileNotFoundError):
        for line in run("apt-get", "indextargets", "--format", wanted).splitlines():
            address, *rest = line.split()
            if rest == [SUITE, "main"]:
                return address
    return "http://deb.debian.org/debian"


# ── kept by the recipe's hash ────────────────────────────────────────────────────────────────
def _kept(name: str, key: str, make: Callable[[Path], None], tell: Tell) -> Path:
    place = cache() / f"{name}-{key}"
    if not place.exists():
        tell(f"making {place} …")
        draft = place.with_suffix(".partial")
        run("rm", "-rf", "--one-file-system", draft)
        make(draft)
        draft.rename(place)
    return place


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _images_key(host_key: str) -> str:
    files = sorted(path for path in RECIPES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    recipes = [part for path in files for part in (str(path.relative_to(RECIPES)), path.read_text())]
    return _key(host_key, sys.version, sys.base_prefix, *_index_settings(), _certificates(), *recipes)


# ── root file systems ────────────────────────────────────────────────────────────────────────
def _make_debian(place: Path) -> None:
    _run_here(("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(place), mirror()))
    policy = place / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")  # no service starts where it is installed
    policy.chmod(0o755)
    shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
    # Kept with its package lists: what is made from it installs without asking for them again.
    _in_root(place, "rm -rf /debootstrap; apt-get update -qq; apt-get clean")


def _make_host(debian: Path, place: Path) -> None:
    run("cp", "--archive", "--reflink=auto", debian, place)
    packages = " ".join(HOST_PACKAGES)
    _in_root(place, f"apt-get install -y -qq --no-install-recommends {packages}; apt-get clean")


def _in_root(root: Path, script: str) -> None:
    """Runs a script in a root file system, in namespaces of its own, so that no mount is left."""
    entered = f'mount -t proc proc "{root}/proc" && exec chroot "{root}" sh -ec \'{script}\''
    _run_here(("unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-ec", entered))


def _run_here(command: tuple[str, ...]) -> None:
    """With this machine's environment, which may name the proxy that leads to the archive."""
    run(*command, env={**os.environ, "PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"})


# ── images ───────────────────────────────────────────────────────────────────────────────────
def _make_layers(debian: Path, host_image: Path, place: Path) -> None:
    """Builds the images in a host of their own, and keeps the part of its disk that holds them."""
    yard = ground.claim(runs())
    try:
        host = yard.add("builder", Size(cpus=os.cpu_count() or 1, memory_mb=4096), host_image, None)
        host.power_on()
        _build_all(host, debian)
        host.stop_daemon()
        place.mkdir()
        for part in ("overlay2", "image"):
            (host.directory / "docker" / part).rename(place / part)
    finally:
        yard.remove()


def _build_all(host: Host, debian: Path) -> None:
    archive = host.directory / "docker" / "debian.tar"
    run("tar", "-C", debian, "--exclude=./var/cache/apt/*.bin", "-cf", archive, ".")
    host.docker("import", "/var/lib/docker/debian.tar", "cloudburst-lab-debian:bookworm", seconds=300)
    _build(host, "base", "debian:bookworm-slim")
    with ThreadPoolExecutor(len(FIRST_IMAGES)) as pool:
        list(pool.map(lambda item: _build(host, *item), FIRST_IMAGES.items()))
    for recipe, name in STUBS.items():
        _build(host, recipe, name, "--build-arg", f"PYTHON={PYTHON}")


def _build(host: Host, recipe: str, name: str, *options: str) -> None:
    context = host.directory / "docker" / "contexts" / recipe
    shutil.copytree(RECIPES / recipe, context)
    _complete(recipe, context)
    inside = f"/var/lib/docker/contexts/{recipe}"
    host.docker("build", "--quiet", "--tag", name, *options, inside, seconds=600)


def _complete(recipe: str, context: Path) -> None:
    """Adds to an image's recipe what is of this machine and not of the repository."""
    if recipe == "base":
        (context / "ca-certificates.crt").write_text(_certificates())
        with (context / "Dockerfile").open("a") as file:
            file.writelines(f"ENV {setting}\n" for setting in _index_settings())
    if recipe == "python":
        (context / "prefix").mkdir()
        _copy_interpreter(context / "prefix")
    if recipe in STUBS:
        shutil.copy(RECIPES / "answer.py", context)


def _copy_interpreter(place: Path) -> None:
    """The interpreter and its standard library, without the packages that were installed into it."""
    prefix = copyable_prefix()
    if prefix is None:
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (place / "bin").mkdir()
    (place / "lib").mkdir()
    for program in ("python3", f"python{version}"):
        shutil.copy2(prefix / "bin" / program, place / "bin", follow_symlinks=False)
    for library in prefix.glob("lib/libpython3*.so*"):
        shutil.copy2(library, place / "lib", follow_symlinks=False)
    unneeded = shutil.ignore_patterns("__pycache__", "site-packages", "test", "tests", "idlelib", "*.a")
    shutil.copytree(
        prefix / "lib" / f"python{version}",
        place / "lib" / f"python{version}",
        symlinks=True,
        ignore=unneeded,
    )
    (place / "lib" / f"python{version}" / "site-packages").mkdir()


def _certificates() -> str:
    return CERTIFICATES.read_text()


def _index_settings() -> tuple[str, ...]:
    """This machine's package indexes and proxies as NAME="value"; local files mean nothing in a container."""
    found = {name: value for name, value in os.environ.items() if _is_index_setting(name)}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        option, _, value = line.partition("=")
        name = f"PIP_{option.rpartition('.')[2].upper().replace('-', '_')}"
        if _is_index_setting(name):
            found.setdefault(name, value.strip("'\""))
    return tuple(
        f"{name}={json.dumps(value)}"
        for name, value in sorted(found.items())
        if "file:" not in value and not value.startswith("/")
    )


def _is_index_setting(name: str) -> bool:
    marks = ("INDEX", "TRUSTED_HOST", "INSECURE_HOST")
    if name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}:
        return True
    return name.startswith(("PIP_", "UV_")) and any(mark in name for mark in marks)
