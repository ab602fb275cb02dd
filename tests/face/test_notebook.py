"""A notebook, run as one runs it: a real kernel, a bar that is one display, a table at the end."""

from __future__ import annotations

from typing import Any

import nbclient
import nbformat
import pytest

from tests.face.conftest import Tanks

CELLS = (
    "import cloudburst\nstudy = cloudburst.load('ensemble.yaml')\nstudy.plan()",
    "ended = study.apply()",
    "study.results(columns=['row', 'hours', 'status'])",
    "cloudburst.load('nothing.yaml')",
)


def outputs(cell: Any, kind: str) -> list[Any]:
    return [one for one in cell["outputs"] if one["output_type"] == kind]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_shows_one_bar_and_a_table(tanks: Tanks) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    client = nbclient.NotebookClient(
        notebook,
        timeout=100,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(tanks.directory)}},
    )
    client.execute()
    planned, applied, table, wrong = notebook["cells"]
    assert "tanks: 12 rows" in outputs(planned, "execute_result")[0]["data"]["text/plain"]
    assert outputs(applied, "stream") == []
    (bar,) = outputs(applied, "display_data")
    assert bar["data"]["text/plain"].startswith("finished: 12 of 12, 2 failed")
    assert 'value="1.0000"' in bar["data"]["text/html"]
    assert "text/html" in outputs(table, "execute_result")[0]["data"]
    (error,) = outputs(wrong, "error")
    assert error["ename"] == "CloudBurstError"
    assert "nothing.yaml" in error["evalue"]
