"""Why this machine cannot have a lab: one sentence for each thing that is missing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .commands import LabError, run
from .stock import CERTIFICATES, SUITE, SUITE_PYTHON, cache, copyable_prefix

PACKAGES = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}


def missing() -> tuple[str, ...]:
    """What to mend before a lab can start here; nothing when it can."""
    if sys.platform != "linux":
        return ("the lab needs Linux",)
    if os.geteuid():
        return ("the lab needs root: it makes network namespaces, bridges and control groups",)
    lacking = (*_programs(), *_files(), *_python())
    return lacking or (*_kernel(), *_firewall())


def _programs() -> Iterator[str]:
    for program, package in PACKAGES.items():
        if not shutil.which(program):
            yield f"the lab needs {program}: apt-get install {package}"


def _files() -> Iterator[str]:
    if not CERTIFICATES.exists():
        yield f"the lab needs {CERTIFICATES}: apt-get install ca-certificates"
    place = next(path for path in (cache(), *cache().parents) if path.exists())
    if run("stat", "--file-system", "--format", "%T", place).strip() == "overlayfs":
        yield (
            f"Docker's layers cannot lie on an overlay, as {place} does: "
            "let CLOUDBURST_LAB_CACHE name a directory on a disk"
        )


def _python() -> Iterator[str]:
    running = sys.version_info[:2]
    if copyable_prefix() is None and running != SUITE_PYTHON:
        yield (
            f"no image can be made of this Python {running[0]}.{running[1]}: it is the distribution's own, "
            f"and the images are Debian {SUITE}; run the tests with a Python of its own prefix"
        )


def _kernel() -> Iterator[str]:
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "this kernel has no overlay file system"
    links = (
        ("type", "bridge"),
        ("type", "veth"),
        ("type", "vxlan", "id", "1", "dstport", "4789", "dev", "lo"),
    )
    for link in links:
        try:
            run("unshare", "--net", "ip", "link", "add", "lab0", *link)
        except LabError as error:
            yield f"this kernel makes no {link[1]} links in a new network namespace: {error}"


def _firewall() -> Iterator[str]:
    # A Docker daemon on the machine itself sets this policy, and bridged packets pass it too.
    with contextlib.suppress(LabError, json.JSONDecodeError):
        for entry in json.loads(run("nft", "--json", "list", "chains"))["nftables"]:
            chain = entry.get("chain", {})
            if chain.get("hook") == "forward" and chain.get("policy") == "drop":
                yield (
                    "this machine's firewall drops what it forwards (a Docker daemon on the machine does "
                    "that), and with it what the lab's hosts send: iptables -P FORWARD ACCEPT"
                )
