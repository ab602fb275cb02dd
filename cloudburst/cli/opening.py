"""What `cloudburst open` can open: the pages of a study, the way to them, and what opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import CloudBurstError, UsageError
from ..run import run_lock, secrets
from ..run.addresses import Where
from ..run.clusters import connected
from ..run.http import USER
from ..run.observe import Study
from ..run.places import find_runtime_directory
from ..secret import Secret

FORMAT = 1


@dataclass(frozen=True)
class Door:
    """A page: the stack's service behind it, its path at the gateway, the credential that opens it
    (a name of secrets.py). `needs` is what the file has to say for it to be there."""

    title: str
    service: str
    path: str
    needs: str = ""
    credential: str = secrets.VIEW_TOKEN


_BUNDLED = "it comes with the bundled server: `results: [{influxdb: {database: cloudburst}}]` without a `url`"

DOORS: Mapping[str, Door] = {
    "status": Door("the status page", "controller", "/"),
    "grafana": Door("Grafana", "grafana", "/grafana/", _BUNDLED),
    "queue": Door("the queue's dashboard", "dashboard", "/queue/", "`cluster: {dashboards: {queue: true}}`"),
    "visualizer": Door(
        "the visualizer", "visualizer", "/visualizer/", "`cluster: {dashboards: {visualizer: true}}`"
    ),
    "influxdb": Door("InfluxDB", "influxdb", "/influxdb/", _BUNDLED, secrets.INFLUXDB_PASSWORD),
}


@dataclass(frozen=True)
class Way:
    """How to get to a page: where the service is now, and who may enter."""

    door: Door
    where: Where
    password: Secret

    def to_json(self, port: int) -> dict[str, Any]:
        """What `--json` prints, the one place where the password is text."""
        return {
            "format": FORMAT,
            "service": self.door.service,
            "url": f"http://127.0.0.1:{port}{self.door.path}",
            "user": USER,
            "password": self.password.reveal(),
        }


@contextmanager
def way_to(study: Study, name: str) -> Iterator[Way]:
    """Good inside the `with`. Raises UsageError for a page the study does not have, ProviderError when
    its machines cannot be reached, CloudBurstError when nothing of it runs."""
    door = DOORS[name]
    if study.ensemble.cluster.provider == "local":
        yield _here(study, door)
        return
    with connected(study) as there:
        if there is None:
            raise CloudBurstError(
                f"nothing of {study.ensemble.name} runs on its machines", "`cloudburst apply` starts it"
            )
        _check_there(door, there.services, study.ensemble.name)
        yield Way(door, there.gateway, _credential(there.credentials, door))


def _here(study: Study, door: Door) -> Way:
    """A study of this machine has its controller, while `apply` runs, and no other page."""
    if door is not DOORS["status"]:
        raise UsageError(
            f"{study.ensemble.name} runs on this machine, where there is no service but the controller",
            f"{door.title} is part of a swarm's stack; `cloudburst open status` shows what runs here",
        )
    directory = find_runtime_directory(study.places.root)
    if directory is None or run_lock.current_holder(study.places.lock) is None:
        raise CloudBurstError(
            f"nothing of {study.ensemble.name} runs now",
            "its status page is there while `cloudburst apply` runs; `cloudburst status` says what is recorded",
        )
    token = secrets.read(study.places.secrets, secrets.VIEW_TOKEN)
    return Way(door, f"unix:{directory}/controller.sock", token)


def _check_there(door: Door, services: Sequence[str], study: str) -> None:
    if door.service in services:
        return
    if not door.needs:
        raise CloudBurstError(f"{study} has no {door.service} running", "`cloudburst apply` starts it again")
    raise UsageError(
        f"{study} has no {door.title.removeprefix('the ')}", f"{door.needs}, then `cloudburst apply`"
    )


def _credential(known: Mapping[str, Secret], door: Door) -> Secret:
    if door.credential not in known:
        raise CloudBurstError(
            f"the credential {door.credential} of this study is not known here",
            "`cloudburst apply` reads or makes it",
        )
    return known[door.credential]


def in_browser(url: str, environment: Mapping[str, str], platform: str) -> Callable[[], None] | None:
    """What shows the page to somebody at this machine; None where there is no screen to show it on."""
    if platform != "darwin" and not any(
        environment.get(x) for x in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return None

    def show() -> None:
        import webbrowser

        webbrowser.open(url)

    return show
