from __future__ import annotations

import hashlib
import json
import math

import pytest

from cloudburst.compile.identity import NotJson, canonical, job_id, replicate_seeds


@pytest.mark.parametrize("same", [(1, 1.0), (0, -0.0), (1e3, 1000), (10**22, 1e22), ([1.0], (1,))])
def test_one_value_has_one_text_however_it_is_written(same: tuple[object, object]) -> None:
    assert canonical(same[0]) == canonical(same[1])


@pytest.mark.parametrize(
    "different", [(True, 1), (False, 0), ("1", 1), (None, 0), (0.1, 0.2), ([], {}), (2**53, 2**53 + 1)]
)
def test_different_values_have_different_texts(different: tuple[object, object]) -> None:
    assert canonical(different[0]) != canonical(different[1])


def test_the_canonical_text_is_sorted_tight_and_utf_8() -> None:
    assert canonical({"b": [1.5, None, True], "a": {"ü": "é"}}) == '{"a":{"ü":"é"},"b":[1.5,null,true]}'


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "is not a finite number"),
        ({"a": [math.inf]}, "is not a finite number"),
        ({1: 2}, "has a key that is not text"),
        ({1, 2}, "is set, which JSON cannot hold"),
    ],
)
def test_what_json_cannot_hold_is_refused(value: object, reason: str) -> None:
    with pytest.raises(NotJson, match=reason):
        canonical(value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(NotJson, match="half of a character"):
        job_id("net3:work", {"a": "\ud800"}, None)


def test_the_id_is_what_the_design_says_it_is() -> None:
    text = json.dumps(
        [1, "net3:work", {"demand": 1, "name": "é"}, 3], separators=(",", ":"), ensure_ascii=False
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:20]
    assert job_id("net3:work", {"name": "é", "demand": 1.0}, 3) == expected


def test_the_id_hangs_on_the_callee_the_description_and_the_replicate() -> None:
    ids = {
        job_id("net3:work", {"a": 1}, None),
        job_id("net3:work", {"a": 1}, 0),
        job_id("net3:work", {"a": True}, None),
        job_id("net6:work", {"a": 1}, None),
        job_id(("net3:work",), {"a": 1}, None),
    }
    assert len(ids) == 5


def test_seeds_hang_on_the_study_the_point_and_the_number() -> None:
    seeds = replicate_seeds(7, {"a": 1, "b": "x"})
    assert [seeds(i) for i in range(3)] == [replicate_seeds(7, {"b": "x", "a": 1.0})(i) for i in range(3)]
    assert (
        len({seeds(0), seeds(1), replicate_seeds(8, {"a": 1, "b": "x"})(0), replicate_seeds(7, {"a": 2})(0)})
        == 4
    )
    assert all(0 <= seeds(i) < 2**31 for i in range(1000))
