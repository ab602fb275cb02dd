"""What the second program promises about itself: what it imports, what it understands."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from cloudburst_worker import addresses, queue
from cloudburst_worker.runner import endings, frames

PACKAGE = Path(__file__).resolve().parents[2] / "worker" / "cloudburst_worker"
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Top-level names a file imports from outside its package."""
    tree = ast.parse(file.read_text())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0
    }
    return {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(PACKAGE)) for file in FILES])
def test_a_file_imports_what_its_side_may(file: Path) -> None:
    foreign = imported(file) - set(sys.stdlib_module_names) - {"__future__"}
    in_runner = file.parent.name == "runner"
    assert foreign <= (set() if in_runner else {"redis", "rq", "uv"})
    if in_runner:
        tree = ast.parse(file.read_text(), feature_version=(3, 9))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level > 1]


def test_frames_survive_any_cutting() -> None:
    messages = [{"a": 1}, [], "text \ud800 ü", {"n": float("inf")}]
    stream = b"".join(frames.pack(message) for message in messages)
    cutter = frames.Cutter()
    bodies = [body for i in range(len(stream)) for body in cutter.feed(stream[i : i + 1])]
    assert frames.Cutter().feed(stream) == bodies
    assert len(bodies) == len(messages)
    with pytest.raises(frames.BadFrame):
        frames.Cutter().feed(b"\xff\xff\xff\xff")


def test_addresses() -> None:
    assert addresses.parse("unix:/a b/ü.sock") == addresses.Unix("/a b/ü.sock")
    assert addresses.parse("tcp:127.0.0.1:80") == addresses.Tcp("127.0.0.1", 80)
    assert addresses.parse("tcp:[::1]:80") == addresses.Tcp("::1", 80)
    for wrong in ("", "unix:", "tcp:host", "http://x", "tcp::1"):
        with pytest.raises(addresses.BadAddress, match="write unix:"):
            addresses.parse(wrong)


@pytest.mark.parametrize("address", ["unix:/q.sock", "tcp:127.0.0.1:6379", "redis://127.0.0.1:6379/2"])
def test_every_client_holds_on_for_ten_minutes_and_hears_silence(address: str) -> None:
    with queue.connect(address, "secret") as client:
        retry, settings = client.get_retry(), client.connection_pool.connection_kwargs
        assert isinstance(retry, queue.HoldOn)
        assert retry.seconds == 600
        assert settings["password"] == "secret"
        assert settings["socket_timeout"] + settings.get("socket_connect_timeout", 0) <= queue.LEASE / 1000


def test_endings() -> None:
    assert endings.describe_exit(-11) == "segmentation fault (SIGSEGV)"
    assert "os._exit(3)" in endings.describe_exit(3)
    assert "out of memory" in endings.describe_exit(-9)
    assert len(endings.shorten("x" * 10**6)) < 40_000
