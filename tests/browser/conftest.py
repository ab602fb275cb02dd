"""A real controller and queue, a worker that the test plays, and a browser in front of the status page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run import secrets
from cloudburst.run.forward import forwarding
from cloudburst.run.http import USER
from tests.run.conftest import ORDER, PlayedWorker, Server, until
from tests.run.conftest import server as server
from tests.run.conftest import short as short
from tests.run.conftest import worker as worker
from tests.run.test_controller import Controlled

from .webdriver import MISSING, Browser, browsing, is_missing


@pytest.fixture(scope="session", autouse=True)
def parts() -> None:
    if is_missing():
        if os.environ.get("CLOUDBURST_REQUIRE_PARTS"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)


@dataclass
class Page:
    """The status page of a controller as `cloudburst open` leads to it."""

    controlled: Controlled
    worker: PlayedWorker
    url: str

    def begin(self, jobs: int = 60, **node: Any) -> None:
        """A study of so many jobs, and one node that reports, in this state."""
        self.controlled.client.put_study({"waves": jobs}, ORDER)
        until(lambda: self._reported(node))

    def _reported(self, node: dict[str, Any]) -> bool:
        """A study that begins forgets the nodes of the one before: what came too early is said again."""
        self.worker.report(**node)
        return bool(self.controlled.status()["nodes"])

    def work(self, **changes: Any) -> None:
        """Until the study's first jobs have ended, all in this way."""
        until(lambda: self.worker.work(**changes))
        until(lambda: self.controlled.status()["done"] + self.controlled.status()["failed"])


@pytest.fixture
def page(server: Server, worker: PlayedWorker, tmp_path: Path) -> Iterator[Page]:
    controlled = Controlled(server, tmp_path, "tests.run.played_controller")
    password = secrets.read(tmp_path / "secrets", secrets.VIEW_TOKEN).reveal()
    with forwarding(controlled._address) as port:
        yield Page(controlled, worker, f"http://{USER}:{password}@127.0.0.1:{port}/")
    controlled.kill()


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browsing() as one:
        yield one


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """A window that has left the page when the page's controller ends."""
    window.complaints()
    yield window
    window.open("about:blank")


@pytest.fixture(scope="module")
def plain_browser() -> Iterator[Browser]:
    """Without JavaScript."""
    with browsing(**{"profile.managed_default_content_settings.javascript": 2}) as one:
        yield one
