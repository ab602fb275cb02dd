"""The first boot of a rented machine: `user_data` for cloud-init, and the files it plants.

The switch is started before anything that takes time, the metadata service is closed to containers before
there is Docker, and `ready` is written last. Nothing here is worth stealing for longer than a first connection:
no token, no join token, and a host key that is replaced over that connection.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .. import assets
from ..errors import ProviderError
from ..secret import Secret
from .fleet import Role
from .switch import CONFIG_PATH, HOME, PROGRAM_PATH, SERVICE, switch_program

LIMIT = 64 << 10
"""Bytes of user data that DigitalOcean takes."""

READY_PATH = f"{HOME}/ready"
FAILED_PATH = f"{HOME}/failed"
"""One of them is there, and not empty, when the first boot is over; `failed` holds a sentence, and more lines of what a
tool said. Both are emptied before anybody can ask: a snapshot of a machine holds what became of that one's."""

Docker = Literal["distribution", "docker", "image"]

_LIBRARY = PROGRAM_PATH.rpartition("/")[0]
_SCRIPTS = ("first-boot.sh", "close-metadata.sh")
_UNITS = (SERVICE, "cloudburst-metadata.service")

_SSHD = """\
# CloudBurst: the planted key alone, and no passwords.
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
_UPGRADES = """\
// CloudBurst: a Docker that is upgraded is restarted, and takes the jobs of its node with it.
Unattended-Upgrade::Package-Blacklist { "docker"; "containerd"; "runc"; };
"""


@dataclass(frozen=True)
class FirstBoot:
    """What one machine is told. Keys are in OpenSSH's forms, `authorized_keys` a line each; `docker` is who brings
    Docker: the distribution, Docker's own packages, or the image, which has it; `switch` as `switch_form` makes it."""

    study: str
    role: Role
    host_key_private: Secret
    host_key_public: str
    authorized_keys: tuple[str, ...]
    docker: Docker
    switch: Mapping[str, Any]


def user_data(boot: FirstBoot) -> str:
    """`#cloud-config` whose YAML is JSON. Raises ProviderError when it is more than a provider takes."""
    text = "#cloud-config\n" + json.dumps(_config(boot), indent=1, ensure_ascii=False) + "\n"
    size = len(text.encode())
    if size > LIMIT:
        raise ProviderError(
            f"what a machine is told at its first boot comes to {size:,} bytes, and {LIMIT:,} can be sent",
            "name fewer or shorter keys in cluster.ssh_keys",
        )
    return text


def _config(boot: FirstBoot) -> dict[str, Any]:
    return {
        "disable_root": False,
        "users": [{"name": "root", "lock_passwd": False}],
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_keys": {
            "ed25519_private": boot.host_key_private.reveal(),
            "ed25519_public": boot.host_key_public,
        },
        "ssh_authorized_keys": list(boot.authorized_keys),
        "write_files": _files(boot),
        "runcmd": [["sh", f"{_LIBRARY}/first-boot.sh", boot.docker]],
    }


def _files(boot: FirstBoot) -> list[dict[str, Any]]:
    return [
        *(_file(path, "") for path in (READY_PATH, FAILED_PATH)),
        _file(CONFIG_PATH, json.dumps(boot.switch, indent=1) + "\n", mode="0600"),
        _packed(PROGRAM_PATH, switch_program()),
        *(_file(f"{_LIBRARY}/{name}", _asset(name)) for name in _SCRIPTS),
        *(_file(f"/etc/systemd/system/{name}", _asset(name)) for name in _UNITS),
        _file("/etc/ssh/sshd_config.d/10-cloudburst.conf", _SSHD),
        _file("/etc/apt/apt.conf.d/99-cloudburst", _UPGRADES),
        _file("/etc/motd", _welcome(boot)),
    ]


def _file(path: str, content: str, *, mode: str = "0644") -> dict[str, Any]:
    return {"path": path, "content": content, "permissions": mode}


def _packed(path: str, content: str) -> dict[str, Any]:
    packed = base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()
    return {**_file(path, packed), "encoding": "gz+b64"}


def _asset(name: str) -> str:
    return (assets.stack_directory() / "host" / name).read_text("utf-8")


def _welcome(boot: FirstBoot) -> str:
    return (
        f"The {boot.role} of the CloudBurst study {boot.study}, rented and billed until it is destroyed.\n"
        f"When it stops by itself, and why: python3 {PROGRAM_PATH} --state\n"
    )
