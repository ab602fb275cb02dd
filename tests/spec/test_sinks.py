"""Where results go: text in, (line, column, code) out. HEAD is three lines, so text begins on line 4."""

from __future__ import annotations

from typing import Any

import pytest

SWARM = "parameters: {}\ncluster: {provider: swarm}\n"


def test_two_sinks_on_one_path(read: Any) -> None:
    text = "parameters: {}\nresults:\n- table: {path: out/a.csv}\n- table: {path: ./out//a.csv}\n- files: {path: out}\n"

    (diagnostic,) = read(text).diagnostics

    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == (7, 17, "same-path")
    assert [(r.span.line, r.span.column) for r in diagnostic.related] == [(6, 11)]


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("{database: x}", "{database: x}", True),
        ("{database: x, url: 'http://h:80'}", "{database: x, url: 'HTTP://H/'}", True),
        ("{database: x, url: 'http://h/a'}", "{database: x, url: 'http://h/a/'}", True),
        ("{database: x, url: 'http://h/a'}", "{database: x, url: 'http://h/A'}", False),
        ("{database: x, url: 'http://h'}", "{database: x, url: 'https://h'}", False),
        ("{database: x}", "{database: x, url: 'http://h'}", False),
        ("{database: x}", "{database: y}", False),
    ],
)
def test_two_sinks_into_one_database(read: Any, first: str, second: str, alike: bool) -> None:
    found = read(f"{SWARM}results:\n- influxdb: {first}\n- influxdb: {second}\n").diagnostics

    assert [(d.span.line, d.span.column, d.code) for d in found] == (
        [(8, 24, "same-database")] if alike else []
    )
    assert [(r.span.line, r.span.column) for d in found for r in d.related] == ([(7, 14)] if alike else [])


def test_a_sink_without_a_server(read: Any) -> None:
    text = "results:\n- influxdb: {database: x}\n"

    (diagnostic,) = read(f"parameters: {{}}\n{text}").diagnostics

    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == (6, 3, "no-server")
    assert "url: http://localhost:8086" in diagnostic.hint
    assert "swarm" in diagnostic.hint
    assert read(SWARM + text).diagnostics == ()


@pytest.mark.parametrize(
    ("keys", "mark", "hint"),
    [
        ("url: 'http://u:p@h'", (6, 40, "secret-in-file"), "`password` names the environment variable"),
        ("url: 'localhost:8086'", (6, 40, "server-url"), "write http://localhost:8086, or"),
        (
            "url: http://h, username: u, password: hunter-2",
            (6, 73, "secret-in-file"),
            "do not stand in the file",
        ),
        ("url: http://h, username: u, password: $PW", (6, 73, "secret-in-file"), "name alone: password: PW"),
        ("url: http://h, token: '${TOKEN}'", (6, 57, "secret-in-file"), "name alone: token: TOKEN"),
        ("url: http://h, token: 'x=='", (6, 57, "secret-in-file"), "INFLUX_TOKEN"),
        ("url: http://h, token: T, username: u, password: P", (6, 50, "too-many-kinds"), "keep one"),
        ("start: 2018-02-30", (6, 42, "start-moment"), "2018-05-28T00:00:00"),
        ("start: 1066-10-14", (6, 42, "start-moment"), "1678"),
        ("start: the beginning", (6, 42, "start-moment"), "2018-05-28T00:00:00"),
    ],
)
def test_mistakes(read: Any, keys: str, mark: tuple[int, int, str], hint: str) -> None:
    (diagnostic,) = read(f"{SWARM}results: [influxdb: {{database: x, {keys}}}]\n").diagnostics

    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == mark
    assert hint in diagnostic.hint


@pytest.mark.parametrize(
    "keys",
    ["url: 'http://u:hunter-2@h'", "url: 'http://h/?u=a&p=hunter-2'", "url: h, token: hunter-2"],
)
def test_no_sentence_repeats_a_secret(read: Any, keys: str) -> None:
    found = read(f"{SWARM}results: [influxdb: {{database: x, {keys}}}]\n").diagnostics

    assert found
    assert not [d for d in found if "hunter-2" in d.message + d.hint]


@pytest.mark.parametrize("start", ["2018-05-28", "2018-05-28T00:00:00Z", "2018-05-28T02:00+02:00", "begin"])
def test_starts(read: Any, start: str) -> None:
    assert read(f"{SWARM}results: [influxdb: {{database: x, start: '{start}'}}]\n").diagnostics == ()
