from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.clusters import connected
from cloudburst.run.observe import Study, read_study

SPEC = """
cloudburst: 1
name: waves
worker: {{directory: worker, entrypoint: "waves:work"}}
parameters: {{grid: {{a: [1, 2]}}}}
cluster: {{provider: {provider}}}
"""


def study(place: Path, provider: str) -> Study:
    (place / "worker").mkdir()
    (place / "worker" / "waves.py").write_text("def work(a):\n    return a\n")
    (place / "ensemble.yaml").write_text(SPEC.format(provider=provider))
    return read_study(place / "ensemble.yaml")


def test_a_study_of_this_machine_has_no_stack(tmp_path: Path) -> None:
    with connected(study(tmp_path, "local")) as found:
        assert found is None


LOOKS = """
import sys
from pathlib import Path
from cloudburst.run.clusters import connected, make_cluster
from cloudburst.run.events import StopSignal
from cloudburst.run.observe import read_study
from cloudburst.run.planning import count_rows
study = read_study(Path(sys.argv[1]))
count_rows(study)
with connected(study) as found:
    assert found is None
make_cluster(study, None, print, StopSignal())
print(sorted({"docker", "requests", "urllib3"} & sys.modules.keys()))
"""


def test_a_study_of_this_machine_imports_nothing_of_dockers(tmp_path: Path) -> None:
    study(tmp_path, "local")
    argv = [sys.executable, "-c", LOOKS, str(tmp_path / "ensemble.yaml")]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_docker_that_is_not_there_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(ProviderError, match=r"Docker .*on this machine") as raised:
        connected(study(tmp_path, "swarm")).__enter__()
    assert raised.value.hint


def test_a_machine_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"there is no machine called no-such-host\.invalid"):
        connected(study(tmp_path, '{swarm: {host: "ssh://no-such-host.invalid"}}')).__enter__()
