from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudburst.spec.moments import is_moment, moment


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2018-05-28", datetime(2018, 5, 28, tzinfo=UTC)),
        ("2018-05-28T06:30:00", datetime(2018, 5, 28, 6, 30, tzinfo=UTC)),
        ("2018-05-28 06:30", datetime(2018, 5, 28, 6, 30, tzinfo=UTC)),
        ("2018-05-28T06:30:00Z", datetime(2018, 5, 28, 6, 30, tzinfo=UTC)),
        ("2018-05-28T06:30:00+02:00", datetime(2018, 5, 28, 4, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, meant: datetime) -> None:
    assert moment(text) == meant


@pytest.mark.parametrize(
    "text", ["", "now", "2018-02-30", "28.5.2018", "06:30", "1677-12-31", "2262-01-01", "１２"]
)
def test_what_is_none(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("2018-05-28", True),
        (1527465600, True),
        (-1.5, True),
        ("soon", False),
        (10**12, False),
        (10**400, False),
        (True, False),
        (None, False),
        ([0], False),
    ],
)
def test_values_of_parameters(value: object, is_one: bool) -> None:
    assert is_moment(value) is is_one
