"""What `cluster` says of machines: text in, (line, column, code) out. HEAD is three lines, so text begins on line 4."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("root@10.0.0.1", "swarm-host"),
        ("tcp://10.0.0.1:2376", "swarm-host"),
        ("ssh://root:open-sesame@10.0.0.1", "secret-in-file"),
        ("ssh://root@10.0.0.1:2222", None),
    ],
)
def test_hosts(marks: Any, host: str, code: str | None) -> None:
    text = f"parameters: {{}}\ncluster:\n  provider:\n    swarm: {{host: '{host}'}}\n"

    assert marks(text) == ([(7, 19, code)] if code else [])


@pytest.mark.parametrize(
    ("options", "marks_"),
    [
        ("hosts: [lab]", []),
        ("hosts: ['ssh://root@a:2222', a, 'me@[2001:db8::1]'], network: 10.0.0.0/24", []),
        ("hosts: ['tcp://a:2376']", [(7, 19, "ssh-host")]),
        ("hosts: [a b]", [(7, 19, "ssh-host")]),
        ("hosts: [a, 'root:open-sesame@b']", [(7, 22, "secret-in-file")]),
        ("hosts: [root@a, 'me@a:22']", [(7, 27, "same-host")]),
        ("hosts: [a, a]", [(7, 22, "same-host")]),
        ("hosts: [a], network: 10.0.0.1/24", [(7, 32, "network-address")]),
    ],
)
def test_machines_one_has(marks: Any, options: str, marks_: list[Any]) -> None:
    text = f"parameters: {{}}\ncluster:\n  provider:\n    ssh: {{{options}}}\n"

    assert marks(text) == marks_


@pytest.mark.parametrize(
    ("worker", "cluster", "mark"),
    [
        ("image: a", "slots: 2", (3, 41)),
        ("stop_grace: 5m", "slots: 2", (3, 41)),
        ("scratch: disk", "slots: 2", (3, 41)),
        ("env: []", "dashboards: {queue: true}", (5, 11)),
        ("scratch: auto", "dashboards: {queue: false}", None),
        ("stop_grace: 60s", "provider: local", None),
        ("image: a", "provider: swarm, dashboards: {queue: true}", None),
    ],
)
def test_what_only_a_swarm_has_is_a_warning_elsewhere(
    read: Any, worker: str, cluster: str, mark: tuple[int, int] | None
) -> None:
    text = f"""\
    cloudburst: 1
    name: study
    worker: {{directory: d, entrypoint: a:b, {worker}}}
    parameters: {{}}
    cluster: {{{cluster}}}
    """

    loaded = read(text, head=False)

    found = [(d.span.line, d.span.column) for d in loaded.diagnostics]
    assert found == ([mark] if mark else [])
    assert {(d.code, d.severity) for d in loaded.diagnostics} <= {("only-on-a-swarm", "warning")}
    assert loaded.ensemble is not None
