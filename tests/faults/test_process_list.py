"""Under `apply` run exactly the processes of the design, with the arguments they have on a swarm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faults.harness import Study, command, parent, processes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

DESIGN = {
    r"valkey-server|redis-server": 1,
    r" -m cloudburst\.run\.file_store --listen \S+ --root .* --secrets .*": 1,
    r" -m cloudburst\.run\.controller --listen \S+ --queue \S+ --home .* --secrets .*": 1,
    r" -m cloudburst_worker supervise --study faults --node \S+ --queue \S+ --files \S+ --secrets .*": 1,
    r" -m cloudburst_worker take .*": 3,  # slots + 1
    r" -m cloudburst_worker\.runner .*": 2,  # one a slot
}


def under(pid: int) -> list[int]:
    """All processes below `pid`."""
    found, known = [], {p: parent(p) for p in processes()}
    waiting = [pid]
    while waiting:
        above = waiting.pop()
        below = [p for p, q in known.items() if q == above]
        found += below
        waiting += below
    return found


def test_the_processes_are_those_of_the_design(study: Study) -> None:
    study.write(pause=0.15)
    apply = study.start("apply", "--json")
    study.until_done(apply, 6)
    shown = [command(pid) for pid in under(apply.pid)]
    secrets = [p.read_text() for p in (study.home / ".cloudburst/faults/secrets").iterdir() if p.is_file()]
    assert study.finish(apply)[0] == 0

    for pattern, count in DESIGN.items():
        matching = [line for line in shown if re.search(pattern, line)]
        assert len(matching) == count, f"{pattern}: {matching}\nall:\n" + "\n".join(shown)
    assert len(shown) == sum(DESIGN.values()), "\n".join(shown)
    assert not [line for line in shown if "multiprocessing" in line]
    assert not [line for line in shown for secret in secrets if len(secret) > 8 and secret in line], (
        "a secret in the arguments"
    )


def test_sockets_are_short_and_private_and_gone_afterwards(study: Study) -> None:
    study.write(pause=0.15)
    apply = study.start("apply", "--json")
    study.until_done(apply, 1)
    listening = {m for pid in under(apply.pid) for m in re.findall(r"unix:(/\S+\.sock)", command(pid))}
    assert len(listening) >= 3
    directories = {Path(path).parent for path in listening}
    for directory in directories:
        assert directory.stat().st_mode & 0o077 == 0
    assert max(len(path) for path in listening) < 100
    assert study.finish(apply)[0] == 0
    assert not [d for d in directories if d.exists()]
