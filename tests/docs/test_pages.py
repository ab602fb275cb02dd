"""What the pages point at is there: links, headings, and the modules they name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec import load
from tests.docs.snippets import PAGES, ROOT

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
MODULE = re.compile(r"`((?:spec|compile|run|cli)/[\w/]+\.py)`")


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ +(.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        target = page.parent / link["file"] if link["file"] else page
        assert target.exists(), f"{page.name}: nothing at {link['file']}"
        if link["heading"]:
            assert link["heading"] in headings(target), f"{page.name}: no heading #{link['heading']}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_module_a_page_names_is_there(page: Path) -> None:
    for name in MODULE.findall(prose(page)):
        assert (ROOT / "cloudburst" / name).is_file(), f"{page.name} names {name}"


def test_the_walk_of_one_value_starts_where_the_page_says() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = re.search(r"^    demand: .*$", page, re.MULTILINE)
    assert shown is not None
    line, column = map(int, re.findall(r"at line (\d+), column (\d+)", page)[0])
    example = ROOT / "examples" / "ensemble.yaml"
    assert example.read_text("utf-8").splitlines()[line - 1] == shown.group()
    assert shown.group()[column - 1 :].startswith("0.9")
    assert f"has in line {line}" in page


def test_the_walk_of_one_value_reaches_the_row_the_page_says() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    ensemble = load(ROOT / "examples" / "ensemble.yaml").ensemble
    assert ensemble is not None
    job = make_jobs(ensemble, make_space(ensemble), {})[10]
    row = job.row
    assert (row.values["spread"], row.values["demand"], row.replicate) == (0.05, 0.9, 0)
    assert f"`{job.id}`" in page
    assert f"`{json.dumps(job.description)}`" in page
    assert "Row 10 is" in page
    assert "`spread` 0.05, `demand` 0.9, replicate 0" in page
