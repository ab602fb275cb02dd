"""What an editor tells of a key that the pointer rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.spec import load
from cloudburst.spec.schema import examples, the_schema

from .language_server import CURSOR, Editor

pytestmark = pytest.mark.slow

HEAD = "cloudburst: 1\nname: study\nworker: {directory: model, entrypoint: model:run}\n"

TOLD = {
    "seed¦: 3": "All draws and all replicates' seeds follow from this whole number.",
    "parameters: {gr¦id: {a: [1, 2]}}": "Every value with every other one; the first key is the slowest.",
    "parameters: {grid: {a: {from¦: 1, to: 2, step: 1}}}": "The first value",
    "parameters: {grid: {a¦: {from: 1, to: 2, step: 1}}}": "A list of values, one value, a range",
    "parameters: {sample: {method¦: lhs, n: 1, of: {a: {uniform: [1, 2]}}}}": "a Latin hypercube",
    "parameters: {sample: {method: lhs, n: 1, of: {a: {loguniform¦: [1, 2]}}}}": "Evenly on a logarithmic scale.",
    "parameters: {sample: {method: lhs, n: 1, of: {a: {normal: {mean: 1, sd¦: 2}}}}}": "standard deviation",
    "cluster: {provider¦: local}": "digitalocean: machines that are rented for the study.",
    "cluster: {provider: {digitalocean: {region¦: nyc3, worker: s-1}}}": "The slug of a region",
    "cluster: {ttl¦: 8h}": "Default: 24h.",
    "results: [{influxdb: {database¦: a}}]": "It is made where it is missing.",
}


@pytest.mark.parametrize("text", TOLD)
def test_a_key_is_explained(editor: Editor, text: str) -> None:
    assert TOLD[text] in editor.hover(HEAD + text + "\n")


def test_the_examples_of_a_map_are_shown(editor: Editor) -> None:
    told = editor.hover("worker¦: {directory: model, entrypoint: model:run}\n")
    assert "entrypoint: net3:work" in told


def test_every_key_of_the_example_is_explained(editor: Editor) -> None:
    """Those of the language: names of parameters are the author's."""
    file = Path(__file__).parents[2] / "examples" / "ensemble.yaml"
    loaded = load(file)
    assert loaded.ensemble is not None
    lines = file.read_text("utf-8").splitlines()
    for line, column in keys(lines):
        text = ["#", *lines[1:]]  # the comment that leads to the schema would lead nowhere from here
        text[line] = text[line][:column] + CURSOR + text[line][column:]
        assert "####" in editor.hover("\n".join(text) + "\n"), lines[line]


def keys(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Where the first key of each line begins."""
    for number, line in enumerate(lines):
        word = line.strip().removeprefix("- ").partition(":")[0]
        if word.isidentifier():
            yield number, line.index(word) + 1


def test_descriptions_are_told_as_they_are_written(editor: Editor) -> None:
    sample = the_schema()["definitions"]["block"]["properties"]["sample"]["properties"]
    told = editor.hover(HEAD + "parameters: {sample: {n¦: 1}}\n")
    assert sample["n"]["description"] in told
    assert str(examples(sample["n"])[0]) in told
