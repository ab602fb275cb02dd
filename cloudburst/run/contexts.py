"""Where the swarm's Docker is: `cluster.provider` and Docker's own contexts, read as Docker reads them.

Looks at files and the environment and opens nothing. A machine is reached by its own unix socket or by
ssh; every other way in is refused with a sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import ProviderError

SOCKET = "/var/run/docker.sock"
DEFAULT = "default"


@dataclass(frozen=True)
class HereDocker:
    """The Docker of this machine, at its unix socket."""

    socket: str = SOCKET

    def __str__(self) -> str:
        return f"unix://{self.socket}"


@dataclass(frozen=True)
class SshDocker:
    """The Docker of a machine that is reached by ssh. `host` may be a name of the user's ssh configuration;
    without `user` and `port` that configuration says them. `socket` is a path over there. `options` are
    settings of ssh (`IdentityFile=/…`) that go before the user's own, and `config` is a file that says all of
    this of a host called `name`; `name` is what people call the machine where its address says little, and
    `number` what tells it from others that had that name."""

    host: str
    user: str = ""
    port: int | None = None
    socket: str = SOCKET
    options: tuple[str, ...] = ()
    name: str = ""
    number: int | None = None
    config: Path | None = None

    def __str__(self) -> str:
        if self.name:
            return self.name
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user + '@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    @property
    def in_full(self) -> str:
        """For a sentence about this very machine."""
        return str(self) if self.number is None else f"{self} (id {self.number})"

    @property
    def shell_words(self) -> str:
        """What a person types to get there."""
        if self.config is not None:
            return f"ssh -F {shlex.quote(str(self.config))} {self.name}"
        port = f"-p {self.port} " if self.port else ""
        options = "".join(f"-o {shlex.quote(option)} " for option in self.options)
        return f"ssh {options}{port}{self.user + '@' if self.user else ''}{self.host}"


Docker = HereDocker | SshDocker


def find_docker(options: Mapping[str, Any]) -> Docker:
    """The machine that the options of `provider: {swarm: …}` mean: `host`, or else `context`.

    Without either, or with `context: default`, it is the one Docker's command line would talk to:
    DOCKER_HOST, then DOCKER_CONTEXT, then the context in use. Raises ProviderError.
    """
    host = options.get("host")
    if host is not None:
        return read_host(str(host), "`host`")
    wanted = str(options.get("context", DEFAULT))
    if wanted == DEFAULT:
        given = os.environ.get("DOCKER_HOST")
        if given:
            return read_host(given, "DOCKER_HOST")
        wanted = os.environ.get("DOCKER_CONTEXT") or _in_use()
    return HereDocker() if wanted == DEFAULT else _of_context(wanted)


def read_host(text: str, source: str) -> Docker:
    """`unix:///path` or `ssh://[user@]host[:port][/path/to/docker.sock]`; `source` says whose words they are.

    Raises ProviderError.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise _unreadable(text, source) from None
    if url.scheme == "unix" and not url.netloc and url.path.startswith("/"):
        return HereDocker(url.path)
    if url.scheme != "ssh":
        raise _refused(text, source)
    if url.password is not None:
        raise ProviderError(
            f"{source} holds a password: it would be seen in files and process lists",
            "use a key: `ssh-copy-id` takes yours there",
        )
    host, user = url.hostname or "", unquote(url.username or "")
    if not host or url.query or url.fragment or host.startswith("-") or user.startswith("-"):
        raise _unreadable(text, source)
    # urlsplit makes the host lower case, and names in an ssh configuration are told apart by case.
    spelled = url.netloc.rpartition("@")[2]
    at = spelled.lower().find(host)
    return SshDocker(spelled[at : at + len(host)], user, port, url.path.rstrip("/") or SOCKET)


def _refused(text: str, source: str) -> ProviderError:
    scheme = text.partition("://")[0] if "://" in text else ""
    ways = "CloudBurst reaches a swarm by ssh or by the Docker socket of this machine"
    if scheme in ("tcp", "http", "https"):
        said = f"{source} is {text}: an open Docker port gives the whole machine to whoever finds it"
        return ProviderError(said, f"{ways}: `host: ssh://user@machine`")
    if scheme == "npipe":
        return ProviderError(f"{source} is {text}: a Windows pipe", f"{ways}; run it inside WSL")
    return ProviderError(
        f"{source} is {text!r}, which is no way to a swarm", f"{ways}: `host: ssh://user@machine`"
    )


def _unreadable(text: str, source: str) -> ProviderError:
    return ProviderError(
        f"{source} is {text!r}, which cannot be read",
        "it is written ssh://user@machine or ssh://user@machine:2222",
    )


# ── Docker's own files ───────────────────────────────────────────────────────────────────────
def _configuration() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _in_use() -> str:
    """What `docker context use` chose."""
    found = _read(_configuration() / "config.json").get("currentContext")
    return found if isinstance(found, str) and found else DEFAULT


def _of_context(name: str) -> Docker:
    meta = _configuration() / "contexts" / "meta"
    found = _read(meta / hashlib.sha256(name.encode()).hexdigest() / "meta.json")
    if not found:
        raise _unknown(name, _names(meta))
    endpoints = found.get("Endpoints")
    host = endpoints.get("docker", {}).get("Host") if isinstance(endpoints, dict) else None
    if not host:
        raise ProviderError(
            f"the Docker context {name} is not one of a Docker machine",
            f"`docker context inspect {name}` shows it",
        )
    return read_host(str(host), f"the Docker context {name}")


def _names(meta: Path) -> list[str]:
    found = (_read(path).get("Name") for path in meta.glob("*/meta.json"))
    return sorted({DEFAULT, *(name for name in found if isinstance(name, str))})


def _unknown(name: str, known: list[str]) -> ProviderError:
    near = get_close_matches(name, known, n=1)
    listed = f"there {'is' if len(known) == 1 else 'are'}: {', '.join(known)}"
    guess = f"did you mean {near[0]}? " if near else ""
    return ProviderError(
        f"there is no Docker context {name}",
        f"{guess}{listed}; `docker context create {name} --docker host=ssh://user@machine` makes it, "
        "and `host: ssh://user@machine` needs none",
    )


def _read(path: Path) -> dict[str, Any]:
    """A file that is missing or damaged says nothing, as it does to Docker's own listing."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
