from __future__ import annotations

import pytest

from cloudburst.spec import scalars


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("+5", 5),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("6E2", 600.0),
        ("-1.5e+2", -150.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("0.10", 0.1),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
    ],
)
def test_what_json_would_call_a_value_is_one(word: str, value: object) -> None:
    found = scalars.resolve(word)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "word",
    [
        "NO",
        "no",
        "off",
        "yes",
        "on",
        "010",
        "-007",
        "01.5",
        "10:30:00",
        "1:30",
        "2018-05-28T00:00:00",
        "2018-05-28",
    ]
    + [
        "1_000",
        "1,000",
        "0b101",
        "0O17",
        "1e",
        "e3",
        "1.2.3",
        ".",
        "-",
        "+.",
        "inf",
        "nan",
        "None",
        "tRUE",
        "0x",
    ],
)
def test_everything_else_is_text(word: str) -> None:
    assert scalars.resolve(word) == word


@pytest.mark.parametrize(
    "word", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e999", "-1e400", "9" * 301, "0x" + "f" * 290]
)
def test_numbers_nobody_can_compute_with_are_refused_with_a_way_out(word: str) -> None:
    with pytest.raises(scalars.Unusable) as refusal:
        scalars.resolve(word)

    assert refusal.value.hint


def test_long_whole_numbers_stay_exact() -> None:
    assert scalars.resolve("123456789012345678901234567890") == 123456789012345678901234567890
