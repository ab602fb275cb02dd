"""What is hidden wherever it stands, and what must not be."""

from __future__ import annotations

import pytest

from cloudburst.secret import is_secret, masked

TOKEN = "dop_v1_" + "0123456789abcdef" * 4


@pytest.mark.parametrize("token", [TOKEN, TOKEN.replace("dop", "doo"), "ab" * 32, TOKEN[:30]])
def test_an_access_token_is_hidden_and_its_place_stays(token: str) -> None:
    line = f"  reaper_token: {token}  # mine"

    assert masked(line) == line.replace(token, "*" * len(token))
    assert is_secret(token)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("- |-----BEGIN OPENSSH PRIVATE KEY-----", "- |-----BEGIN OPENSSH PRIVATE KEY-----"),
        (r'- "-----BEGIN RSA PRIVATE KEY-----\nAAAA', '- "-----BEGIN RSA PRIVATE KEY-----******'),
        ("      " + "b3BlbnNzaC1r" * 5 + "ZW", "      " + "*" * 62),
    ],
)
def test_a_private_key_is_hidden_in_one_line_and_in_several(line: str, shown: str) -> None:
    assert masked(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "  image: worker@sha256:" + "0" * 64,
        "name: net3-diameters",
        "  - ssh-ed25519 " + "A" * 68 + " me@home",
        "parameters: {grid: {a: [1, 2]}}",
        "x" * 40,
        "",
    ],
)
def test_everything_else_is_shown(line: str) -> None:
    assert masked(line) == line
    assert not is_secret(line)
