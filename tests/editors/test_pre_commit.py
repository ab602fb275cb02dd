"""The hook of .pre-commit-hooks.yaml, run by pre-commit in a repository of its own, as a user has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import npm_packages
import pytest
import yaml

from .page import shown

ROOT = Path(__file__).parents[2]
HOOKS = ROOT / ".pre-commit-hooks.yaml"
CONFIG = ".pre-commit-config.yaml"
TRAVELS = ("cloudburst", "schemas", "stack", "worker", "pyproject.toml", "README.md", "LICENSE", HOOKS.name)
"""What the wheel is made of, and the hook."""

GOOD = """\
cloudburst: 1
name: pumps
worker: {directory: model, entrypoint: model:run}
parameters: {grid: {speed: [1, 2]}}
"""
BROKEN = GOOD + "sed: 3\n"
UNUSUAL = GOOD.replace("}}", "}, exclude: [{speed: 7}]}")
"""Legal, and hardly meant: no row has this speed."""

MODEL = "def run(speed):\n    return speed\n"


@dataclass(frozen=True)
class Repository:
    """A git repository; commands run in it with `environment`."""

    home: Path
    environment: dict[str, str]

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments, check=True).stdout.strip()

    def run(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=check,
        )

    def hook(self) -> tuple[int, str]:
        """What `pre-commit` says of everything that is staged."""
        self.git("add", "--all")
        ended = self.run(sys.executable, "-m", "pre_commit", "run", "--color", "never")
        return ended.returncode, ended.stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def repository(home: Path, cache: Path) -> Repository:
    home.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITHUB_"))},
        "PRE_COMMIT_HOME": str(cache),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    made = Repository(home, environment)
    made.git("init", "--quiet", "--initial-branch=main")
    return made


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, str]:
    """This project as a repository, and its one commit."""
    if not shutil.which("git"):
        npm_packages.lacking("git is needed: on Debian: apt-get install git")
    top = tmp_path_factory.mktemp("pre-commit")
    project = repository(top / "project", top / "cache")
    left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in TRAVELS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project.home / name, ignore=left_out)
        else:
            shutil.copy(source, project.home / name)
    project.git("add", "--all", "--force")
    project.git("commit", "--quiet", "--message", "all of it")
    return project, project.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def studies(hooks: tuple[Repository, str]) -> Repository:
    """A user's repository with the hook as docs/editors-and-git.md shows it, whose environment is made."""
    project, revision = hooks
    made = repository(project.home.parent / "studies", Path(project.environment["PRE_COMMIT_HOME"]))
    config = yaml.safe_load(shown(CONFIG))
    config["repos"][0] |= {"repo": str(project.home), "rev": revision}
    (made.home / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    made.git("add", "--all")
    installed = made.run(sys.executable, "-m", "pre_commit", "install-hooks")
    if installed.returncode != 0:
        npm_packages.lacking(f"pre-commit cannot install the hook: {installed.stdout[-800:]}")
    return made


@pytest.mark.slow
@pytest.mark.xdist_group("pre-commit")
@pytest.mark.timeout(600)
def test_a_broken_study_stops_a_commit(studies: Repository) -> None:
    studies.write({"model/model.py": MODEL, "ensemble.yaml": GOOD})
    code, said = studies.hook()
    assert (code, "Passed" in said) == (0, True), said

    studies.write({"deep/model/model.py": MODEL, "deep/pumps-ensemble.yaml": BROKEN})
    code, said = studies.hook()
    assert (code, "Failed" in said) == (1, True), said
    assert "deep/pumps-ensemble.yaml:5:1: error[unknown-key]" in said
    assert 'did you mean "seed"?' in said

    (studies.home / "deep" / "pumps-ensemble.yaml").unlink()
    studies.write({"other.yaml": "not: [a study\n"})
    code, said = studies.hook()
    assert (code, "Passed" in said) == (0, True), said


@pytest.mark.slow
@pytest.mark.xdist_group("pre-commit")
@pytest.mark.timeout(600)
def test_warnings_stop_it_where_they_are_asked_to(studies: Repository) -> None:
    studies.write({"model/model.py": MODEL, "ensemble.yaml": UNUSUAL})
    code, said = studies.hook()
    assert (code, "warning[" in said) == (1, True), said

    config = yaml.safe_load((studies.home / CONFIG).read_text("utf-8"))
    assert config["repos"][0]["hooks"][0].pop("args") == ["--strict"]
    studies.write({CONFIG: yaml.safe_dump(config)})
    code, said = studies.hook()
    assert (code, "Passed" in said) == (0, True), said


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("ensemble.yaml", True),
        ("ensemble.yml", True),
        ("a/b/ensemble.yaml", True),
        ("studies/net3-ensemble.yaml", True),
        ("net3.ensemble.yaml", True),
        ("ensembles.yaml", False),
        ("reassemble.yaml", False),
        ("ensemble.yaml.txt", False),
        ("docker-compose.yaml", False),
    ],
)
def test_which_files_are_looked_at(path: str, is_one: bool) -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text("utf-8"))
    assert (re.search(hook["files"], path) is not None) is is_one
