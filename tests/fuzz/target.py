"""One process of the fuzzing: atheris chooses and mutates, `judging` judges under `limits`, what breaks is written down.

python -m tests.fuzz.target WORK SECONDS
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import tempfile
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloudburst"]):
    from cloudburst.compile import expressions
    from tests.fuzz import judging
    from tests.fuzz.limits import SECONDS, limited
    from tests.fuzz.mangling import LONGEST, mangled
    from tests.fuzz.studies import Outside, Project, seeds

SLOWER = 3
"""So many times the processor's seconds: what atheris watches takes two or three times as long."""

HANGS = 60
"""Seconds after which libFuzzer ends a process that no signal reaches, and keeps its input."""


class Target:
    """What atheris calls."""

    def __init__(self, work: Path, project: Project) -> None:
        self._found, self._project = work / "found", project
        self._tried, self._counter = 0, os.open(work / "tried", os.O_WRONLY)
        self._others = list(seeds())

    def try_input(self, data: bytes) -> None:
        self._tried += 1
        os.pwrite(self._counter, str(self._tried).encode(), 0)
        expressions.expression.cache_clear()  # what one file leaves behind is not the next one's
        expressions.text.cache_clear()
        try:
            with limited(SLOWER * SECONDS):
                judging.judge(self._project, data)
        except Outside:
            pass
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            self._keep(data, error)

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        return mangled(data, chance, self._others)[:most]

    def cross(self, one: bytes, other: bytes, most: int, seed: int) -> bytes:
        return mangled(one, random.Random(seed), [other])[:most]

    def _keep(self, data: bytes, error: BaseException) -> None:
        """One input for each kind of error and the places it came by: of those the shortest."""
        way = _way(error)
        name = f"{type(error).__name__}-{hashlib.sha256(way.encode()).hexdigest()[:8]}"
        kept = self._found / name
        if kept.exists() and kept.stat().st_size <= len(data):
            return
        kept.write_bytes(data)
        story = "".join(traceback.format_exception(error))
        kept.with_suffix(".txt").write_text(f"{way}\n\n{story}", "utf-8", "backslashreplace")


def _way(error: BaseException) -> str:
    """The last steps in the product; for what took too long only the file, since it is anywhere by then."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/cloudburst/" in one.filename]
    last = [f"{Path(one.filename).stem}.{one.name}" for one in reversed(frames[-4:])]
    return f"{type(error).__name__}: {' < '.join(last)}"


def main() -> None:
    work, seconds = Path(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        project = Project(Path(place) / "study")
        target = Target(work, project)
        with atheris.instrument_imports(include=["cloudburst"]):
            judging.judge(project, next(seeds()))  # imports what is imported late
        project.guard()
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            f"-timeout={HANGS}",
            "-rss_limit_mb=4096",
            "-report_slow_units=1000",
            f"-artifact_prefix={work / 'found'}/",
            "-print_final_stats=1",
            str(work / "inputs"),
        ]
        atheris.Setup(
            [sys.argv[0], *options],
            target.try_input,
            custom_mutator=target.mutate,
            custom_crossover=target.cross,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
