from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudburst.spec.addresses import (
    is_everyone,
    judge_host,
    judge_machine,
    judge_network,
    judge_server,
    machine,
    server,
)


# ── ssh ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "address",
    [
        "ssh://10.0.0.1",
        "ssh://root@10.0.0.1",
        "ssh://me@lab.example.org:2222",
        "ssh://lab",
        "ssh://me@[2001:db8::1]:22",
    ],
)
def test_hosts(address: str) -> None:
    assert judge_host(address) is None


@pytest.mark.parametrize(
    ("address", "code", "hint"),
    [
        ("root@10.0.0.1", "swarm-host", "write ssh://root@10.0.0.1"),
        ("lab:22", "swarm-host", "write ssh://lab:22"),
        ("tcp://10.0.0.1:2376", "swarm-host", "write ssh://user@10.0.0.1"),
        ("http://lab/", "swarm-host", "write ssh://user@lab"),
        ("unix:///var/run/docker.sock", "swarm-host", "{context: default}"),
        ("ssh://root@lab/var/run/docker.sock", "swarm-host", "write ssh://root@lab"),
        ("ssh://root:open-sesame@lab", "secret-in-file", "by key"),
        ("root:open-sesame@lab", "secret-in-file", "by key"),
        ("ssh://-oProxyCommand=touch", "swarm-host", "for example"),
        ("ssh://-l@lab", "swarm-host", "for example"),
        ("ssh://lab:0", "swarm-host", "for example"),
        ("ssh://lab:65536", "swarm-host", "for example"),
        ("ssh://", "swarm-host", "for example"),
        ("ssh://lab\n", "swarm-host", "for example"),
        ("ssh://a lab", "swarm-host", "for example"),
        ("SSH://lab", "swarm-host", "for example"),
        ("a lab", "swarm-host", "for example"),
    ],
)
def test_what_is_no_host(address: str, code: str, hint: str) -> None:
    fault = judge_host(address)

    assert fault is not None
    assert fault.code == code
    assert hint in fault.hint
    assert "open-sesame" not in fault.message + fault.hint


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("lab", ("lab", 22)),
        ("me@lab.example.org:2222", ("lab.example.org", 2222)),
        ("me@[2001:db8::1]:22", ("[2001:db8::1]", 22)),
    ],
)
def test_machines(address: str, place: tuple[str, int]) -> None:
    assert judge_machine(address) is None
    assert machine(address) == place


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("root:open-sesame@lab", "secret-in-file"),
        ("ssh://lab", "ssh-host"),
        ("tcp://lab:2376", "ssh-host"),
        ("-oProxyCommand=touch", "ssh-host"),
        ("lab:0", "ssh-host"),
        ("lab/path", "ssh-host"),
        ("", "ssh-host"),
    ],
)
def test_what_is_no_machine(address: str, code: str) -> None:
    fault = judge_machine(address)

    assert fault is not None
    assert fault.code == code
    assert "open-sesame" not in fault.message + fault.hint


# ── networks ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("text", ["10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "::1", "0.0.0.0/0", "::/0"])
def test_networks(text: str) -> None:
    assert judge_network(text) is None
    assert is_everyone(text) == text.endswith("/0")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8 for the whole network, or 10.0.0.1 for the one address"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("10.0.0.0/33", "for example"),
        ("10.0.0/24", "for example"),
        ("10.0.0.0/255.0.0.0", "for example"),
        ("fe80::1%eth0", "for example"),
        ("home.example.org", "for example"),
        ("", "for example"),
        ("10", "for example"),
    ],
)
def test_what_is_no_network(text: str, hint: str) -> None:
    fault = judge_network(text)

    assert fault is not None
    assert fault.code == "network-address"
    assert hint in fault.hint


# ── http ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8086",
        "http://localhost:8086/",
        "https://influx.example.org",
        "https://proxy.example.org/influx",
        "http://[::1]:8086",
        "http://write",
    ],
)
def test_servers(address: str) -> None:
    assert judge_server(address) is None


@pytest.mark.parametrize(
    ("address", "code", "hint"),
    [
        ("localhost:8086", "server-url", "write http://localhost:8086, or https://localhost:8086"),
        ("http://h:8086/write?db=x", "server-url", "write http://h:8086;"),
        ("http://h:8086/write", "server-url", "write http://h:8086;"),
        ("http://h/influx/api/v2/write?bucket=x", "server-url", "write http://h/influx;"),
        ("http://h/?u=me&p=open-sesame", "server-url", "write http://h;"),
        ("http://h#x", "server-url", "write http://h;"),
        ("http://me:open-sesame@h", "secret-in-file", "`username`"),
        ("http://me@h", "secret-in-file", "`username`"),
        ("me:open-sesame@h", "secret-in-file", "`username`"),
        ("udp://h:8089", "server-url", "for example"),
        ("http://h:65536", "server-url", "for example"),
        ("http:///x", "server-url", "for example"),
        ("http://h x", "server-url", "for example"),
        ("", "server-url", "for example"),
    ],
)
def test_what_is_no_server(address: str, code: str, hint: str) -> None:
    fault = judge_server(address)

    assert fault is not None
    assert fault.code == code
    assert hint in fault.hint
    assert "open-sesame" not in fault.message + fault.hint


PIECES = st.lists(
    st.sampled_from(
        ["ssh", "http", "://", ":", "/", "@", "?", "#", "h", "22", "99999", "[", "]", "-", "\n", "write"]
    )
).map("".join)


@example("ssh/write")
@example("http://h/write/query")
@given(PIECES | st.text(max_size=20))
def test_what_a_hint_says_to_write_is_right(address: str) -> None:
    for judge in (judge_host, judge_server):
        fault = judge(address)
        if fault is not None and fault.hint.startswith("write "):
            meant = fault.hint.removeprefix("write ").partition(", or ")[0].partition(";")[0]
            assert judge(meant) is None


@given(PIECES)
def test_a_server_that_is_written_otherwise_is_still_one(address: str) -> None:
    if judge_server(address) is None:
        assert judge_server(server(address)) is None
        assert server(server(address)) == server(address)
