"""The Swarm stack of a study: one stack file, and what its configs and secrets hold.

Pure: what is decided here, `run/` makes true. The templates are in `stack/`, one for each service;
docs/swarm-stack.md explains what they make.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import __version__, assets
from ..secret import Secret
from ..spec.ensemble import Ensemble, Worker
from . import dashboard
from .bundle import Bundle, make_bundle
from .influxql import identifier
from .measurements import SHARDS

LONGEST_NAME = 64
"""Characters of the name of a Docker secret or config."""

IMAGES = {
    "queue": "redis:7.2-alpine",
    "gateway": "nginx:1.28-alpine",
    "influxdb": "influxdb:1.8",
    "grafana": "grafana/grafana:11.6.0",
    "visualizer": "dockersamples/visualizer:stable",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OTHERWISE = "3.12"
"""Where the study's own Python is not one CloudBurst runs on: uv fetches it for the runners."""

ALWAYS = ("queue", "files", "controller", "gateway", "worker")

SECRETS = (
    "queue-password",
    "files-token",
    "worker-token",
    "api-token",
    "view-token",
    "environment.json",
    "sinks.json",
    "queue.conf",
    "gateway.conf",
)
SECRETS_OF_PAGES = ("influxdb-password", "grafana-password")
"""Those of the bundled InfluxDB and of Grafana, when they are there."""

MARGIN = 15
"""Seconds a worker has after the grace of its jobs, to hand back what it did not begin."""

_MIB = 1 << 20
SMALL_SCRATCH = 1024 * _MIB
"""Bytes of a node's scratch in memory when nobody knows how much memory nodes have."""


# ── what is asked, what is decided ───────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Site:
    """What only the runner can know.

    `python` such as "3.11"; `single_node`: the one node works too; `worker_memory`: bytes a worker may
    have, None where that is not known; `generations`: for each of `needed_secrets` a text that is new
    when its value is.
    """

    python: str
    single_node: bool
    worker_memory: int | None
    generations: Mapping[str, str]


@dataclass(frozen=True)
class Stack:
    """`text` is stack.yml. `configs`: logical -> (Docker's name, content); `secrets`: logical -> Docker's
    name; `services`: without the stack's name; `bundle`: the digest of the code that is sent."""

    name: str
    text: str
    configs: Mapping[str, tuple[str, bytes]]
    secrets: Mapping[str, str]
    services: tuple[str, ...]
    bundle: str


def stack_name(study: str) -> str:
    return f"cb-{study}"


def secret_name(study: str, logical: str, generation: str) -> str:
    """How Docker knows a secret; at most 64 characters."""
    return _docker_name(study, logical, generation)


def config_name(study: str, logical: str, content_digest: str) -> str:
    """How Docker knows a config whose content (or what it packs) has this sha256."""
    return _docker_name(study, logical, content_digest[:12])


def _docker_name(study: str, logical: str, version: str) -> str:
    """A long study's name is cut, and what was cut off stands there as a hash."""
    room = LONGEST_NAME - len(f"cb-.{logical}.{version}")
    if len(study) > room:
        study = f"{study[: room - 9]}-{hashlib.sha256(study.encode()).hexdigest()[:8]}"
    return f"cb-{study}.{logical}.{version}"


def needed_secrets(ensemble: Ensemble) -> tuple[str, ...]:
    """Logical names of the secrets that must be there before the stack is deployed."""
    return (*SECRETS, *(SECRETS_OF_PAGES if dashboard.bundled(ensemble) else ()))


def services_of(ensemble: Ensemble) -> tuple[str, ...]:
    """The services a study has on a swarm."""
    graphs = ("influxdb", "grafana") if dashboard.bundled(ensemble) else ()
    asked = {"queue": "dashboard", "visualizer": "visualizer"}
    pages = tuple(service for page, service in asked.items() if page in ensemble.cluster.dashboards)
    return (*ALWAYS, *graphs, *pages)


def compile_stack(ensemble: Ensemble, site: Site) -> Stack:
    """The same for equal arguments. Raises CloudBurstError when this version's code is too large to send."""
    bundle = make_bundle()
    services = services_of(ensemble)
    configs = _named_configs(ensemble, services, bundle)
    secrets = {
        logical: secret_name(ensemble.name, logical, site.generations[logical])
        for logical in needed_secrets(ensemble)
    }
    text = _TEMPLATES.get_template("frame.yml.j2").render(
        study=ensemble.name,
        version=__version__,
        digest=bundle.digest,
        services=services,
        images=_images(ensemble.worker, site),
        links=_links(services),
        volumes=[name for name in services if name not in {"gateway", "worker", "visualizer"}],
        secrets=secrets,
        configs={logical: name for logical, (name, _) in configs.items()},
        **_for_worker(ensemble, site),
    )
    return Stack(stack_name(ensemble.name), text, configs, secrets, services, bundle.digest)


# ── parts of the stack file ──────────────────────────────────────────────────────────────────
def _images(worker: Worker, site: Site) -> Mapping[str, str]:
    python = f"python:{site.python if site.python in PYTHONS else OTHERWISE}-slim"
    return {**IMAGES, "python": python, "worker": worker.image or python}


def _links(services: tuple[str, ...]) -> list[str]:
    """Pages the status page leads to, by the first part of their path."""
    pages = {"grafana": "grafana", **PAGES}
    return [page for page, service in pages.items() if service in services]


class _Scratch(NamedTuple):
    """`argument`: the worker's --scratch; `mount`: where its memory is mounted, if it is memory."""

    argument: str
    mount: str | None = None
    size: int = 0


def _scratch(worker: Worker, memory: int | None) -> _Scratch:
    """By itself a worker judges what fits into memory, and moves to the disk when that is full."""
    if worker.scratch == "disk":
        return _Scratch("/var/tmp/cloudburst/cache/scratch")  # noqa: S108 - a path in a container
    if worker.scratch == "auto":
        return _Scratch("auto", "/dev/shm", memory // 4 if memory else SMALL_SCRATCH)  # noqa: S108
    return _Scratch("/scratch", "/scratch", worker.scratch)


def _for_worker(ensemble: Ensemble, site: Site) -> Mapping[str, Any]:
    grace = math.ceil(ensemble.worker.stop_grace)
    return {
        "single_node": site.single_node,
        "worker_memory": site.worker_memory,
        "scratch": _scratch(ensemble.worker, site.worker_memory),
        "slots": ensemble.cluster.slots,
        "grace": grace,
        "stop_seconds": grace + MARGIN,
    }


def _text(value: str) -> str:
    """A double-quoted YAML scalar that Docker's interpolation leaves alone."""
    return '"' + "".join(_ESCAPED.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in value) + '"'


_ESCAPED = {'"': '\\"', "\\": "\\\\", "$": "$$"}

_TEMPLATES = Environment(
    loader=FileSystemLoader(assets.stack_directory()),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - YAML and nginx, not HTML; users' text passes through the filter `text`
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["text"] = _text


# ── configs ──────────────────────────────────────────────────────────────────────────────────
def _named_configs(
    ensemble: Ensemble, services: tuple[str, ...], bundle: Bundle
) -> Mapping[str, tuple[str, bytes]]:
    contents = _configs(ensemble, services)
    named = {
        logical: (config_name(ensemble.name, logical, hashlib.sha256(content).hexdigest()), content)
        for logical, content in contents.items()
    }
    # Named by what is packed: the same code is the same config, whoever packed it.
    return {"bundle": (config_name(ensemble.name, "bundle", bundle.digest), bundle.content), **named}


def _configs(ensemble: Ensemble, services: tuple[str, ...]) -> Mapping[str, bytes]:
    asset = assets.stack_directory()
    found = {"entry.py": (asset / "entry.py").read_bytes(), "nginx.conf": gateway_configuration(services)}
    if "dashboard" in services:
        found["dashboard.cfg"] = (asset / "dashboard.cfg").read_bytes()
    if "influxdb" in services:
        databases = dashboard.bundled(ensemble)
        found["influxdb.sh"] = (asset / "influxdb.sh").read_bytes()
        found["influxdb.iql"] = "".join(
            f"CREATE DATABASE {identifier(name)} WITH DURATION INF SHARD DURATION {SHARDS};\n"
            for name in databases
        ).encode()
        found["datasources.yml"] = _json(_datasources(databases))
        found["dashboards.yml"] = _json(_dashboards(ensemble.name))
        found["dashboard.json"] = _json(dashboard.make_dashboard(ensemble))
    return found


def _json(value: Any) -> bytes:
    """JSON is YAML: what Grafana is provisioned with needs no second writer."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _datasources(databases: tuple[str, ...]) -> dict[str, Any]:
    """Grafana reads the password from its secret; `$` would be one of its variables."""
    entries = [
        {
            "name": dashboard.datasource_name(name).replace("$", "$$"),
            "uid": dashboard.datasource_uid(at),
            "type": "influxdb",
            "access": "proxy",
            "url": "http://influxdb:8086",
            "user": "cloudburst",
            "jsonData": {"dbName": name.replace("$", "$$"), "httpMode": "POST"},
            "secureJsonData": {"password": "$__file{/run/secrets/influxdb-password}"},
            "isDefault": at == 0,
            "editable": False,
        }
        for at, name in enumerate(databases)
    ]
    return {"apiVersion": 1, "prune": True, "datasources": entries}


def _dashboards(study: str) -> dict[str, Any]:
    provider = {
        "name": study,
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": True,
        "options": {"path": "/etc/cloudburst/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}


# ── the gateway ──────────────────────────────────────────────────────────────────────────────
PAGES = {"queue": "dashboard", "visualizer": "visualizer"}
"""First part of a path at the gateway -> the service that answers below it."""

BACKENDS = {
    "files": "files:8080",
    "controller": "controller:8080",
    "influxdb": "influxdb:8086",
    "grafana": "grafana:3000",
    "dashboard": "dashboard:9181",
    "visualizer": "visualizer:8080",
}


@dataclass(frozen=True)
class Gateway:
    """Where nginx listens, looks up names, and finds things; as it is in the container."""

    listen: str = "8080"
    health: str = "127.0.0.1:8081"
    resolver: str = "127.0.0.11 valid=2s ipv6=off"
    secret: str = "/run/secrets/gateway.conf"  # noqa: S105 - the name of a file
    files: str = "/srv/files/cloudburst/files"
    temporary: str = "/tmp"  # noqa: S108 - a path in a container
    backends: Mapping[str, str] = field(default_factory=lambda: BACKENDS)


def gateway_configuration(services: tuple[str, ...], gateway: Gateway | None = None) -> bytes:
    """nginx.conf of the gateway to these services."""
    gateway = gateway or Gateway()
    backends = {name: at for name, at in gateway.backends.items() if name in services}
    rendered = _TEMPLATES.get_template("nginx.conf.j2").render(
        gateway=gateway, backends=backends, pages=PAGES
    )
    return rendered.encode()


# ── secrets with a form ──────────────────────────────────────────────────────────────────────
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")

ROLES = {"files-token": "client", "api-token": "client", "worker-token": "worker", "view-token": "viewer"}
"""What the gateway takes the holder of a token for."""

VIEWER = "cloudburst"
"""The name a browser logs in with, and InfluxDB's user."""


def queue_secret(password: Secret) -> str:
    """`queue.conf`: what the queue's server reads before its arguments."""
    return f'requirepass "{_token(password)}"\n'


def gateway_secret(tokens: Mapping[str, Secret]) -> str:
    """`gateway.conf`: from a request's credential to its role, and what services behind are told.

    `tokens`: those of ROLES, and `influxdb-password` and `grafana-password` where there are those. nginx does not compare
    in constant time; a token is 256 bits of chance, of which no time that can be measured tells enough.
    """
    view = _token(tokens["view-token"])
    known = [(f"Bearer {_token(tokens[name])}", role) for name, role in ROLES.items()]
    known.append((_basic(view), "viewer"))
    told = {
        "$controller_authorization": {"default": "$http_authorization", "viewer": f"Bearer {view}"},
        "$dashboard_authorization": {"client": _basic(view), "viewer": _basic(view)},
    }
    if "grafana-password" in tokens:
        login = _basic(_token(tokens["grafana-password"]))
        told["$grafana_authorization"] = {"client": login, "viewer": login}
    if "influxdb-password" in tokens:
        own = _basic(_token(tokens["influxdb-password"]))
        known.append((own, "influxdb"))
        told["$influxdb_authorization"] = {"client": own, "influxdb": own}
    # A plain text in a map would be compared without regard to case.
    roles = "".join(f'    "~^\\Q{said}\\E\\z" {role};\n' for said, role in known)
    maps = [f'map $http_authorization $role {{\n    default "";\n{roles}}}\n']
    for variable, values in told.items():
        lines = "".join(f'    {role} "{value}";\n' for role, value in values.items())
        maps.append(f"map $role {variable} {{\n{lines}}}\n")
    return "".join(maps)


def _token(secret: Secret) -> str:
    """Raises ValueError for a text that would be more than a word to Redis, nginx or a shell."""
    if not _TOKEN.fullmatch(secret.reveal()):
        raise ValueError("a token consists of letters, digits, - and _")
    return secret.reveal()


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"{VIEWER}:{password}".encode()).decode()
