"""Of very many mistakes the first are told, and that there are more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cloudburst.diagnostics import MOST_TOLD
from cloudburst.spec import load

HEAD = 'cloudburst: 1\nname: s\nworker: {directory: d, entrypoint: "a:b"}\n'
GRID = "parameters:\n  grid: {x: [1]}\n"


def found(file: Path, text: str) -> tuple[Counter[str], list[int]]:
    """How often each code comes, and the lines."""
    file.write_text(text, "utf-8")
    loaded = load(file)
    lines = [d.span.line for d in loaded.diagnostics if d.span]
    return Counter(d.code for d in loaded.diagnostics), lines


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD + GRID + "".join(f"k{n}: 1\n" for n in range(999)), "unknown-key"),
        (HEAD + "parameters:\n  grid:\n" + "".join(f"    x{n}: {{vlaues: [1]}}\n" for n in range(999)), "unknown-key"),
        (HEAD + GRID + "  fixed:\n" + "    y: 1\n" * 999, "duplicate-key"),
        (HEAD + "parameters:\n  fixed:\n" + "".join(f"    '{n}': 1\n" for n in range(999)), "parameter-name"),
        (HEAD + "parameters:\n  fixed:\n" + "".join(f"    x{n}: NO\n" for n in range(999)), "reads-as-text"),
    ],
)  # fmt: skip
def test_the_first_are_told_and_that_there_are_more(tmp_path: Path, text: str, code: str) -> None:
    codes, lines = found(tmp_path / "ensemble.yaml", text)
    assert MOST_TOLD / 2 <= codes[code] <= MOST_TOLD
    assert codes["too-many-mistakes"] == 1
    assert lines == sorted(lines)


def test_as_many_as_are_told_are_all_there_are(tmp_path: Path) -> None:
    codes, _ = found(
        tmp_path / "ensemble.yaml", HEAD + GRID + "".join(f"k{n}: 1\n" for n in range(MOST_TOLD))
    )
    assert codes == {"unknown-key": MOST_TOLD}


def test_a_line_no_screen_can_show_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "ensemble.yaml"
    file.write_text(f"{HEAD}parameters: {{grid: {{x: [{'1, ' * 9000}1]}}}}\nxyz: 1\n", "utf-8")
    snippets = {d.code: d.snippet for d in load(file).diagnostics}
    assert snippets["unknown-key"] == "xyz: 1"
    assert snippets["repeated-value"] == ""


def test_more_is_drawn_together_than_a_job_could_be_sent(tmp_path: Path) -> None:
    draws = ", ".join(f"x{n}: {{uniform: [0, 1], size: 6000}}" for n in range(3))
    text = f"{HEAD}parameters:\n  sample: {{method: lhs, n: 4, of: {{{draws}}}}}\n"
    codes, _ = found(tmp_path / "ensemble.yaml", text)
    assert codes == {"too-many-values": 1}
