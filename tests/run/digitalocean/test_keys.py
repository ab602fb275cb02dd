"""Keys that open machines, with the real ssh-keygen and a real agent."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.digitalocean import keys
from cloudburst.run.digitalocean.keys import Ring, make_key, own_keys, read_public_key, shown_fingerprint
from cloudburst.run.places import places


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(places(tmp_path / "ensemble.yaml", "waves"))


def said(*argv: str | Path) -> str:
    return subprocess.run(
        [str(word) for word in argv], check=True, capture_output=True, text=True
    ).stdout.strip()


# ── the deployment's ─────────────────────────────────────────────────────────────────────────
def test_a_deployments_key_is_made_once_and_its_private_half_is_for_this_user_alone(ring: Ring) -> None:
    first = ring.deployment()
    assert ring.deployment() == first
    assert stat.S_IMODE(ring.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(ring.directory.stat().st_mode) == 0o700
    assert (first.algorithm, first.comment) == ("ssh-ed25519", "cloudburst")
    assert said("ssh-keygen", "-y", "-f", ring.key).split()[:2] == str(first).split()


def test_a_key_half_made_by_a_killed_run_is_made_anew(ring: Ring) -> None:
    ring.open()
    (ring.directory / ".key.new").write_text("half")
    (ring.directory / ".key.new.pub").write_text("half")
    made = ring.deployment()
    assert said("ssh-keygen", "-y", "-f", ring.key).split()[:2] == str(made).split()


def test_fingerprints_are_those_that_ssh_and_the_account_show(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    assert said("ssh-keygen", "-l", "-f", tmp_path / "key.pub").split()[1] == key.shown
    assert said("ssh-keygen", "-l", "-E", "md5", "-f", tmp_path / "key.pub").split()[1] == f"MD5:{key.md5}"
    assert len(key.sha256) == 64
    assert shown_fingerprint(key.sha256) == key.shown


def test_without_openssh_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProviderError) as caught:
        make_key(tmp_path / "key")
    assert "ssh-keygen" in caught.value.message
    assert "openssh-client" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 not-base64!",
        "ssh-ed25519 AAAA",
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t",
        "no key at all",
    ],
)
def test_what_is_no_public_key_is_none(line: str) -> None:
    assert read_public_key(line) is None


# ── the user's ───────────────────────────────────────────────────────────────────────────────
def test_the_files_keys_are_texts_or_files_and_each_counts_once(tmp_path: Path) -> None:
    first, second = make_key(tmp_path / "first"), make_key(tmp_path / "second")
    (tmp_path / "both.pub").write_text(f"# ours\n{first} me\n\n{second} you\n")
    found = own_keys([f"{first} somebody", "both.pub"], tmp_path)
    assert [str(key) for key in found.keys] == [str(first), str(second)]
    assert found.problems == ()


def test_a_key_in_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = make_key(tmp_path / "mine")
    assert own_keys(["~/mine.pub"], Path("/nowhere")).keys == (mine,)


def test_what_is_wrong_with_a_given_key_is_said_at_its_place(tmp_path: Path) -> None:
    make_key(tmp_path / "mine")
    (tmp_path / "empty.pub").write_text("nothing\n")
    found = own_keys(["missing.pub", "mine", "empty.pub", "ssh-ed25519 AAAA"], tmp_path)
    assert found.keys == ()
    assert [problem.path for problem in found.problems] == [("cluster", "ssh_keys", n) for n in range(4)]
    missing, private, empty, cut = (problem.message for problem in found.problems)
    assert "missing.pub cannot be read: no such file" in missing
    assert "private key" in private
    assert "mine.pub" in private
    assert "no public key in empty.pub" in empty
    assert "no public key" in cut


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real agent; its socket has a short path."""
    directory = Path("/tmp") / f"cb-agent-{os.getpid()}"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(directory / "s"))
    words = said("ssh-agent", "-s", "-a", directory / "s")
    pid = int(words.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    yield tmp_path
    os.kill(pid, signal.SIGTERM)
    shutil.rmtree(directory, ignore_errors=True)  # an agent that ends removes its socket too


@pytest.mark.slow
def test_by_default_the_agents_keys_are_the_users(agent: Path) -> None:
    assert own_keys(None, agent).keys == ()
    mine = make_key(agent / "mine")
    subprocess.run(["ssh-add", "-q", str(agent / "mine")], check=True)
    assert [str(key) for key in own_keys(None, agent).keys] == [str(mine)]
    assert own_keys([], agent).keys == ()


def test_no_agent_is_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert keys.agents_keys() == ()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert keys.agents_keys() == ()
