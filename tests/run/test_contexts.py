from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.contexts import HereDocker, SshDocker, find_docker, read_host


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's own configuration directory, empty."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def make_context(docker: Path, name: str, host: str) -> None:
    """As `docker context create` writes it."""
    place = docker / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (place / "meta.json").write_text(json.dumps(meta))


LAB = SshDocker("10.0.0.1", "root")


def test_a_host_needs_no_context() -> None:
    assert find_docker({"host": "ssh://root@10.0.0.1"}) == LAB


def test_a_context_is_read_from_dockers_own_files(docker: Path) -> None:
    make_context(docker, "lab", "ssh://root@10.0.0.1")
    make_context(docker, "here", "unix:///run/user/1000/docker.sock")
    assert find_docker({"context": "lab"}) == LAB
    assert find_docker({"context": "here"}) == HereDocker("/run/user/1000/docker.sock")


def test_without_any_word_it_is_the_docker_of_this_machine() -> None:
    assert find_docker({"context": "default"}) == find_docker({}) == HereDocker("/var/run/docker.sock")


def test_default_is_what_dockers_command_line_would_talk_to(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_context(docker, "lab", "ssh://root@10.0.0.1")
    make_context(docker, "other", "ssh://other")
    (docker / "config.json").write_text('{"currentContext": "other"}')
    assert find_docker({"context": "default"}) == SshDocker("other")
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    assert find_docker({"context": "default"}) == LAB
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    assert find_docker({"context": "default"}) == HereDocker("/elsewhere.sock")
    assert find_docker({"context": "lab"}) == LAB


def test_an_unknown_context_is_guessed_at(docker: Path) -> None:
    make_context(docker, "lab-north", "ssh://root@10.0.0.1")
    with pytest.raises(ProviderError, match=r"there is no Docker context lab-nort$") as raised:
        find_docker({"context": "lab-nort"})
    assert "did you mean lab-north? there are: default, lab-north;" in raised.value.hint
    assert "docker context create lab-nort " in raised.value.hint


def test_a_context_of_something_else_is_refused(docker: Path) -> None:
    make_context(docker, "kube", "")
    with pytest.raises(ProviderError, match="kube is not one of a Docker machine"):
        find_docker({"context": "kube"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ssh://Lab-A", SshDocker("Lab-A")),
        ("ssh://me@lab:2222", SshDocker("lab", "me", 2222)),
        ("ssh://root@[fe80::1]:22", SshDocker("fe80::1", "root", 22)),
        ("ssh://lab/run/user/1/docker.sock", SshDocker("lab", socket="/run/user/1/docker.sock")),
        ("unix:///x/y.sock", HereDocker("/x/y.sock")),
    ],
)
def test_ways_that_are_gone(text: str, found: object) -> None:
    assert read_host(text, "`host`") == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tcp://10.0.0.1:2375", "`host` is tcp://10.0.0.1:2375: an open Docker port gives the whole machine"),
        ("npipe:////./pipe/docker_engine", "a Windows pipe"),
        ("kubernetes://x", "no way to a swarm"),
        ("10.0.0.1", "no way to a swarm"),
        ("ssh://me:secret@lab", "holds a password"),
        ("ssh://", "cannot be read"),
        ("ssh://lab:port", "cannot be read"),
        ("ssh://-oProxyCommand=evil", "cannot be read"),
        ("ssh://-evil@lab", "cannot be read"),
    ],
)
def test_ways_that_are_not(text: str, sentence: str) -> None:
    with pytest.raises(ProviderError, match=sentence) as raised:
        read_host(text, "`host`")
    assert "ssh" in raised.value.hint or "WSL" in raised.value.hint


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ProviderError) as raised:
        read_host("ssh://me:hunter2@lab", "DOCKER_HOST")
    assert "hunter2" not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize(
    ("docker_at", "typed"),
    [(LAB, "ssh root@10.0.0.1"), (SshDocker("lab", port=2222), "ssh -p 2222 lab")],
)
def test_what_a_person_would_type(docker_at: SshDocker, typed: str) -> None:
    assert docker_at.shell_words == typed
