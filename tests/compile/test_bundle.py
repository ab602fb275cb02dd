"""The bundle: all of the programs, nothing else, the same bytes from a checkout and from a wheel."""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest
from uv import find_uv_bin

from cloudburst import assets
from cloudburst.compile import bundle
from cloudburst.compile.bundle import LIMIT, Bundle, make_bundle
from cloudburst.errors import CloudBurstError

ROOT = Path(__file__).parents[2]


@cache
def ours() -> Bundle:
    """The bundle of this code, packed once: it takes half a second."""
    return make_bundle()


def packed(bundle: Bundle) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(lzma.decompress(bundle.content)))


def test_the_same_code_makes_the_same_bytes() -> None:
    assert make_bundle() == ours()


def test_its_digest_is_of_the_zip_however_it_was_compressed() -> None:
    assert ours().digest == hashlib.sha256(lzma.decompress(ours().content)).hexdigest()


def test_it_fits_into_a_docker_config() -> None:
    assert len(ours().content) < LIMIT < 500 * 1000


OF_THE_CLIENT = ("providers", "digitalocean")
"""Who makes machines and reaches them is the one who sits before them."""


@pytest.mark.slow
@pytest.mark.parametrize("program", ["controller", "file_store"])
def test_what_is_sent_is_enough_for_the_programs(tmp_path: Path, program: str) -> None:
    packed(ours()).extractall(tmp_path)
    code = f"import cloudburst.run.{program}; print(cloudburst.__file__)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(str(tmp_path)), "this very copy"


def test_it_holds_the_programs_and_their_requirements() -> None:
    names = packed(ours()).namelist()
    for part in (
        "cloudburst/run/controller.py",
        "cloudburst/run/file_store.py",
        "cloudburst/spec/document.py",
        "cloudburst_worker/__main__.py",
        "cloudburst_worker/runner/serve.py",
        "requirements/controller.txt",
        "requirements/worker.txt",
        "requirements/dashboard.txt",
    ):
        assert part in names
    for path in (ROOT / "cloudburst" / "run").rglob("*"):
        if path.is_file() and not {"__pycache__", *OF_THE_CLIENT} & set(path.parts):
            assert f"cloudburst/{path.relative_to(ROOT / 'cloudburst').as_posix()}" in names, (
                "pages are files too"
            )


def test_the_command_line_and_what_was_compiled_stay_here() -> None:
    names = packed(ours()).namelist()
    assert not [
        name for name in names if name.startswith(("cloudburst/cli", "cloudburst/face", "cloudburst/_assets"))
    ]
    assert not [name for name in names if set(name.split("/")) & set(OF_THE_CLIENT)]
    assert not [name for name in names if name.endswith((".pyc", ".in"))]


def test_code_that_has_outgrown_it_is_said_before_docker_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LIMIT", 1000)
    with pytest.raises(CloudBurstError, match="and 1000 can travel to a swarm"):
        make_bundle()


def test_what_is_beside_the_package_comes_along_from_where_it_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(assets.stack_directory(), tmp_path / "stack")
    (tmp_path / "stack" / "requirements" / "worker.txt").write_text("# another\n")
    monkeypatch.setattr(assets, "stack_directory", lambda: tmp_path / "stack")
    assert packed(make_bundle()).read("requirements/worker.txt") == b"# another\n"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_installed_wheel_sends_what_the_checkout_sends(tmp_path: Path) -> None:
    build = [
        find_uv_bin(),
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--out-dir",
        str(tmp_path),
    ]
    subprocess.run([*build, str(ROOT)], check=True, cwd=tmp_path)
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(tmp_path / "installed")
    program = "import sys; sys.path.insert(0, sys.argv[1])\nfrom cloudburst.compile.bundle import make_bundle\nprint(make_bundle().digest)"
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path / "installed")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.strip() == ours().digest
