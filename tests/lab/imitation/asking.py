"""A client of a few lines, plain urllib, for tests of the imitation itself: what CloudBurst's client believes is no measure here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .server import Imitation

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqsYCYhm/gJBLW8g7pSMmnkd1CI2H4Y6dBGDHXlJ1Q2 someone"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP8AYCYhm/gJBLW8g7pSMmnkd1CI2H4Y6dBGDHXlJ1Q2 other"


@dataclass(frozen=True)
class Answered:
    """`body` is read as JSON where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message(self) -> str:
        return str(self.body["message"])


@dataclass(frozen=True)
class Asker:
    it: Imitation
    token: str | None = None
    timeout: float = 10.0

    def ask(self, method: str, path: str, body: Any = None) -> Answered:
        """One request with a path below /v2. Raises what urllib raises when a connection breaks."""
        headers = {"Authorization": f"Bearer {self.it.token if self.token is None else self.token}"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.it.url}/v2{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return _read(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error.headers, error.read())

    def get(self, path: str) -> Any:
        """The body; the status has to be 200."""
        answered = self.ask("GET", path)
        assert answered.status == 200, answered
        return answered.body

    def every(self, path: str, key: str) -> list[Any]:
        """All pages of a list, by the links."""
        found, body = [], self.get(path)
        while True:
            found += body[key]
            following = body["links"].get("pages", {}).get("next")
            if following is None:
                return found
            body = self.get(following.removeprefix(f"{self.it.url}/v2"))

    def create(self, *names: str, **more: Any) -> Answered:
        """Droplets that the description's own example would make."""
        wanted = {"names": list(names), "region": "nyc3", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64"}
        return self.ask("POST", "/droplets", wanted | more)

    def named(self, path: str = "/droplets", key: str = "droplets") -> list[str]:
        return [one["name"] for one in self.every(path, key)]

    def awaited(self, path: str, key: str, wanted: Sequence[str], looks: int = 20) -> int:
        """How many looks it takes until a list has these names and no others."""
        for look in range(1, looks + 1):
            if self.named(path, key) == list(wanted):
                return look
        raise AssertionError(f"{path} does not become {wanted} in {looks} looks")


def _read(status: int, headers: Any, body: bytes) -> Answered:
    named = {name.lower(): value for name, value in headers.items()}
    is_json = body and named.get("content-type", "").startswith("application/json")
    return Answered(status, named, json.loads(body) if is_json else body)
