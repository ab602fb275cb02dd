"""The payload's environment: named by content, built once, its failures in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cloudburst_worker import environment
from cloudburst_worker.orders import Broken

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_key_is_of_what_the_environment_depends_on() -> None:
    keys = {environment.key("", "3.11"), environment.key("", "3.12"), environment.key("numpy==2.0", "3.11")}
    assert len(keys) == 3
    assert environment.key("numpy==2.0", "3.11") in keys


@pytest.mark.parametrize(
    ("words", "sentence", "mends"),
    [
        ("error: failed to write: No space left on device (os error 28)", "there is no space left on the disk", True),
        ("error: No interpreter found for Python 3.99 in managed installations", "Python 3.9 is not on this node", False),
        ("error: Failed to download https://…/python-build-standalone/…/cpython-3.9\n dns error", "Python 3.9 is not on this node", False),
        ("error: Hash mismatch for `six==1.0`", "its hash differs", False),
        ("error: Failed to fetch: `https://…/six/`\n dns error: failed to lookup", "the package index cannot be reached", True),
        ("error: something new", "the environment of the worker cannot be built", False),
    ],
)  # fmt: skip
def test_what_uv_says_becomes_a_sentence(words: str, sentence: str, mends: bool) -> None:
    broken = environment._explain(words, "3.9")
    assert sentence in broken.sentence
    way_out, _, said = broken.detail.partition("\n")
    assert way_out
    assert said == words
    assert broken.mends is mends


def test_who_told_pip_of_an_index_means_uv_too() -> None:
    told = environment._variables(
        {"PIP_INDEX_URL": "https://index", "PIP_FIND_LINKS": "/a  /b", "PYTHONPATH": "x"}, Path("/home")
    )
    assert told["UV_DEFAULT_INDEX"] == "https://index"
    assert told["UV_FIND_LINKS"] == "/a,/b"
    assert "PYTHONPATH" not in told
    own = {"PIP_INDEX_URL": "https://pip", "UV_INDEX_URL": "https://uv"}
    assert "UV_DEFAULT_INDEX" not in environment._variables(own, Path("/home"))


@pytest.mark.slow
def test_an_environment_is_built_once_and_again_when_it_is_half(tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    said: list[str] = []
    payload.mkdir()
    python = environment.build(payload, MINOR, tmp_path / "cache", said.append)
    prefix = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert prefix.stdout.strip() == str(python.parent.parent)
    assert said == ["building the environment"]
    assert environment.build(payload, MINOR, tmp_path / "cache", said.append) == python
    assert len(said) == 1
    (python.parent.parent / ".complete").unlink()
    (python.parent.parent / "half").touch()
    environment.build(payload, MINOR, tmp_path / "cache", said.append)
    assert len(said) == 2
    assert not (python.parent.parent / "half").exists()


@pytest.mark.slow
def test_a_python_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (tmp_path / "payload").mkdir()
    with pytest.raises(Broken, match=r"Python 3\.8 is not on this node") as caught:
        environment.build(tmp_path / "payload", "3.8", tmp_path / "cache", lambda _: None)
    assert caught.value.detail
    assert not list((tmp_path / "cache" / "environments").iterdir())
