"""What an editor offers while one types an ensemble file, at every level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from cloudburst.spec.schema import the_schema

from .language_server import Editor

pytestmark = pytest.mark.slow

SCHEMA = the_schema()
TOP = SCHEMA["properties"]
WORKER = TOP["worker"]["properties"]
CLUSTER = TOP["cluster"]["properties"]
PROVIDER = CLUSTER["provider"]["properties"]
BLOCK = SCHEMA["definitions"]["block"]["properties"]
SINK = TOP["results"]["items"]["properties"]

HEAD = "cloudburst: 1\nname: study\nworker: {directory: model, entrypoint: model:run}\n"

KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "top level": ("¦", TOP),
    "top level, further down": (
        HEAD + "¦",
        {key: TOP[key] for key in set(TOP) - {"cloudburst", "name", "worker"}},
    ),
    "worker": ("worker:\n  ¦", WORKER),
    "worker, half a word": ("worker:\n  entr¦", WORKER),
    "retries": ("worker:\n  retries:\n    ¦", WORKER["retries"]["properties"]),
    "needs": ("worker:\n  needs:\n    ¦", WORKER["needs"]["properties"]),
    "parameters": (HEAD + "parameters:\n  ¦", BLOCK),
    "a list of blocks": (HEAD + "parameters:\n  - ¦", BLOCK),
    "the second block": (HEAD + "parameters:\n  - fixed: {a: 1}\n  - ¦", BLOCK),
    "axis": (HEAD + "parameters:\n  grid:\n    a:\n      ¦", SCHEMA["definitions"]["axis"]["properties"]),
    "zip": (
        HEAD + "parameters:\n  zip:\n    - a:\n        ¦",
        SCHEMA["definitions"]["companion"]["properties"],
    ),
    "table": (HEAD + "parameters:\n  table:\n    ¦", BLOCK["table"]["properties"]),
    "sample": (HEAD + "parameters:\n  sample:\n    ¦", BLOCK["sample"]["properties"]),
    "distribution": (
        HEAD + "parameters:\n  sample:\n    of:\n      a:\n        ¦",
        SCHEMA["definitions"]["distribution"]["properties"],
    ),
    "normal": (
        HEAD + "parameters:\n  sample:\n    of:\n      a:\n        normal:\n          ¦",
        SCHEMA["definitions"]["distribution"]["properties"]["normal"]["properties"],
    ),
    "replicates": (HEAD + "parameters:\n  replicates:\n    ¦", BLOCK["replicates"]["properties"]),
    "oat": (HEAD + "parameters:\n  oat:\n    ¦", BLOCK["oat"]["properties"]),
    "exclude": (HEAD + "parameters:\n  exclude:\n    - ¦", {"where": {}}),
    "cluster": (HEAD + "cluster:\n  ¦", CLUSTER),
    "provider": (HEAD + "cluster:\n  provider:\n    ¦", PROVIDER),
    "swarm": (HEAD + "cluster:\n  provider:\n    swarm:\n      ¦", PROVIDER["swarm"]["properties"]),
    "ssh": (HEAD + "cluster:\n  provider:\n    ssh:\n      ¦", PROVIDER["ssh"]["properties"]),
    "digitalocean": (
        HEAD + "cluster:\n  provider:\n    digitalocean:\n      ¦",
        PROVIDER["digitalocean"]["properties"],
    ),
    "digitalocean, in a line": (
        HEAD + "cluster: {provider: {digitalocean: {reg¦}}}",
        PROVIDER["digitalocean"]["properties"],
    ),
    "dashboards": (HEAD + "cluster:\n  dashboards:\n    ¦", CLUSTER["dashboards"]["properties"]),
    "results": (HEAD + "results:\n  - ¦", SINK),
    "influxdb": (HEAD + "results:\n  - influxdb:\n      ¦", SINK["influxdb"]["properties"]),
}


@pytest.mark.parametrize("level", KEYS)
def test_every_key_of_a_level_is_offered_and_explained(editor: Editor, level: str) -> None:
    text, known = KEYS[level]
    offers = editor.completions(text + "\n")
    assert set(known) - set(offers) == set()
    assert [key for key in known if not offers[key].tells] == []
    assert muddled(offers) == []


VALUES: dict[str, tuple[str, set[str]]] = {
    "isolation": ("worker:\n  isolation: ¦", {"process", "fork"}),
    "retries": ("worker:\n  retries: ¦", {"2"}),
    "endings": ("worker:\n  retries:\n    on:\n      - ¦", {"crash", "lost", "timeout", "error"}),
    "timeout": ("worker:\n  timeout: ¦", {"10m", "1h30m"}),
    "method": (
        HEAD + "parameters:\n  sample:\n    method: ¦",
        set(BLOCK["sample"]["properties"]["method"]["enum"]),
    ),
    "scale": (HEAD + "parameters:\n  grid:\n    a:\n      scale: ¦", {"linear", "log"}),
    "types": (
        HEAD + "parameters:\n  table:\n    types:\n      a: ¦",
        {"text", "number", "integer", "boolean"},
    ),
    "paired": (HEAD + "parameters:\n  replicates:\n    paired: ¦", {"true", "false"}),
    "provider": (HEAD + "cluster:\n  provider: ¦", {"local", "swarm", "ssh", "digitalocean"}),
    "slots": (HEAD + "cluster:\n  slots: ¦", {"auto"}),
    "ttl": (HEAD + "cluster:\n  ttl: ¦", {"8h", "never"}),
    "docker": (
        HEAD + "cluster:\n  provider:\n    digitalocean:\n      docker: ¦",
        {"distribution", "docker", "image"},
    ),
    "queue": (HEAD + "cluster:\n  dashboards:\n    queue: ¦", {"true", "false"}),
}


@pytest.mark.parametrize("key", VALUES)
def test_values_are_offered(editor: Editor, key: str) -> None:
    text, values = VALUES[key]
    offers = editor.completions(text + "\n")
    assert values - set(offers) == set()
    assert muddled(offers) == []


@pytest.mark.parametrize("name", [name for name in TOP if TOP[name].get("type") != "string"])
def test_nothing_muddled_is_offered_behind_a_key(editor: Editor, name: str) -> None:
    assert muddled(editor.completions(f"{name}: ¦\n")) == []


def muddled(labels: Iterable[str]) -> list[str]:
    """A server that is shown a map as an example calls it so."""
    return [label for label in labels if "[object" in label]


def test_a_key_brings_what_it_needs_and_nothing_else(editor: Editor) -> None:
    """What has a default is left out: the file says what its author chose."""
    written = {key: offer.writes for key, offer in editor.completions(HEAD + "parameters:\n  ¦\n").items()}
    assert written["grid"].strip() == "grid:"
    assert "scramble" not in written["sample"]
    offers = editor.completions("¦\n")
    assert "isolation" not in offers["worker"].writes
    assert "ttl" not in offers["cluster"].writes
