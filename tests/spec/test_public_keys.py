from __future__ import annotations

import base64
from pathlib import Path

import pytest

from cloudburst.run.digitalocean.keys import own_keys
from cloudburst.spec.public_keys import KINDS, is_file, judge_key


def public(kind: str, within: str | None = None) -> str:
    """A key of the right build: its kind, and what has that kind as its first field."""
    name = (within or kind).encode()
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes(range(32))
    return f"{kind} {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("comment", ["", " me@home", " a comment of words\n"])
def test_keys(kind: str, comment: str) -> None:
    key = public(kind) + comment

    assert judge_key(key) is None
    assert not is_file(key)


@pytest.mark.parametrize("name", ["~/.ssh/id_ed25519.pub", "keys/mine.pub", "/a b/c.pub"])
def test_files(name: str) -> None:
    assert judge_key(name) is None
    assert is_file(name)


@pytest.mark.parametrize(
    ("key", "code", "hint"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nsesame\n", "secret-in-file", "make a new pair"),
        ("-----BEGIN RSA PRIVATE KEY----- sesame", "secret-in-file", "make a new pair"),
        ("~/.ssh/id_ed25519", "public-key", "write ~/.ssh/id_ed25519.pub"),
        ("me@home of words", "public-key", "for example ~/.ssh"),
        ("ssh-dss AAAA", "public-key", "for example ~/.ssh"),
        ("ssh-ed25519 sesame", "public-key", "whole line"),
        ("ssh-ed25519 AAAA", "public-key", "whole line"),
        ("ssh-ed25519 //// me", "public-key", "whole line"),
        (public("ssh-ed25519", "ssh-rsa"), "public-key", "whole line"),
        (public("ssh-rsa") + "\n" + public("ssh-rsa"), "public-key", "whole line"),
    ],
)
def test_what_is_no_public_key(key: str, code: str, hint: str) -> None:
    fault = judge_key(key)

    assert fault is not None
    assert fault.code == code
    assert hint in fault.hint
    assert "sesame" not in fault.message + fault.hint


def test_a_file_is_opened_by_whoever_needs_the_key(tmp_path: Path) -> None:
    assert judge_key("missing.pub") is None

    (problem,) = own_keys(["missing.pub"], tmp_path).problems

    assert (problem.code, problem.path) == ("ssh-key", ("cluster", "ssh_keys", 0))
