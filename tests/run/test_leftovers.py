"""What a killed command left half-written goes; what a living one writes, and what is the user's, stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloudburst.run.leftovers import beside, sweep

KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from cloudburst.run.leftovers import beside

home = Path(sys.argv[1])
beside(home / "table.csv").write_text("half")
beside(home / "files").mkdir()
database = sqlite3.connect(beside(home / "ledger.sqlite"), isolation_level=None)
database.execute("CREATE TABLE t (a)")
database.execute("BEGIN")
database.execute("INSERT INTO t VALUES (1)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert len(list(tmp_path.iterdir())) == 4, "the table, the directory, the database and its journal"
    mine = beside(tmp_path / "table.csv")
    strangers = [
        tmp_path / name for name in ("table.csv", ".a.partial", ".a.1.partial", "b.1-00000000.partial")
    ]
    for path in (mine, *strangers):
        path.write_text("whole")
    sweep([tmp_path, tmp_path / "nowhere"])
    assert sorted(tmp_path.iterdir()) == sorted([mine, *strangers])


def test_two_names_beside_one_file_are_never_the_same_and_not_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 250)
    one, other = beside(long), beside(long)
    assert one != other
    assert str(os.getpid()) in one.name
    one.write_text("fits")
