"""Which tests are the lab's: those that ask for it, and not those that ask for something else of its name."""

from __future__ import annotations

import pytest


@pytest.fixture
def lab() -> str:
    return "one of our own"


def test_a_fixture_that_takes_its_name_is_another(lab: str, request: pytest.FixtureRequest) -> None:
    marks = {mark.name for mark in request.node.iter_markers()}
    assert lab == "one of our own"
    assert marks & {"lab", "slow", "xdist_group"} == set(), "it need not wait for those of the lab"
