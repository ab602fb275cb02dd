"""The entry script and the worker's Dockerfile in real containers, as little as the stack gives them."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.stock import PYTHON

if TYPE_CHECKING:
    from lab import Host, Lab

ROOT = Path(__file__).parents[2]
SENT = ("cloudburst", "schemas", "stack", "worker")
BUNDLE = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from cloudburst.compile.bundle import make_bundle
made = make_bundle()
Path("bundle").write_bytes(made.content)
print(made.digest)
"""

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Bench:
    """A host; on it a directory with entry.py and the bundle; and the bundle's digest."""

    host: Host
    place: str
    digest: str
    checkout: Path

    def run(self, image: str, *words: str, volume: str | None = None, network: str = "bridge") -> str:
        """What the worker's program says in a container without root, capabilities, or a place to write but these."""
        little = [
            "--rm",
            "--init",
            "--user",
            "10001:10001",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--tmpfs",
            "/tmp",
        ]
        mounts = ["--volume", f"{self.place}:/cloudburst:ro"]
        if volume:
            mounts += ["--mount", f"type=volume,source={volume},target=/var/tmp"]
        entry = ["python3", "-I", "/cloudburst/entry.py", "run", "worker", f"--digest={self.digest}"]
        docker = ["docker", "run", *little, "--network", network, *mounts, image, *entry, "--", *words]
        return self.host.sh(f"{shlex.join(docker)} 2>&1", seconds=300)


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    checkout = tmp_path / "checkout"
    for name in SENT:
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    digest = subprocess.run(
        [sys.executable, "-I", "-c", BUNDLE], cwd=checkout, check=True, capture_output=True, text=True
    ).stdout.strip()
    host, place = lab.workers[0], f"/tmp/entry-{uuid.uuid4().hex[:8]}"
    files = {"entry.py": checkout / "stack" / "entry.py", "bundle.zip.xz": checkout / "bundle"}
    host.sh(f"mkdir {place}")
    _feed(host, ("tar", "-x", "-C", place), _tar(files))
    yield Bench(host, place, digest, checkout)
    host.sh(f"rm -r {place}")


def _tar(files: dict[str, Path]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, path in files.items():
            archive.add(path, name)
    return packed.getvalue()


def _feed(host: Host, argv: tuple[str, ...], content: bytes) -> str:
    ended = subprocess.run(host.command(*argv), input=content, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def test_a_new_volume_is_filled_without_root_and_then_needs_no_network(bench: Bench) -> None:
    volume = f"test-{bench.place[-8:]}"
    try:
        cold = bench.run(PYTHON, "--help", volume=volume)
        assert "installing worker-" in cold
        assert "usage: cloudburst_worker" in cold
        warm = bench.run(PYTHON, "--help", volume=volume, network="none")
        assert warm.startswith("usage: cloudburst_worker"), "nothing was installed, nothing was asked"
    finally:
        bench.host.docker("volume", "rm", "--force", volume)


def test_an_image_with_our_code_inside_starts_without_volume_or_network(bench: Bench) -> None:
    image = f"cloudburst-test/worker:{bench.place[-8:]}"
    version = PYTHON.removeprefix("python:").removesuffix("-slim")
    context = _tar({name: bench.checkout / name for name in (*SENT, "pyproject.toml")})
    build = (
        "docker",
        "build",
        "-q",
        "-f",
        "worker/Dockerfile",
        "--build-arg",
        f"PYTHON={version}",
        "-t",
        image,
        "-",
    )
    try:
        _feed(bench.host, build, context)
        assert bench.run(image, "--help", network="none").startswith("usage: cloudburst_worker")
    finally:
        bench.host.docker("image", "rm", "--force", image)
