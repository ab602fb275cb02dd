from __future__ import annotations

import pytest

from cloudburst.spec.variables import judge_variable


@pytest.mark.parametrize("name", ["REAPER", "_a1", "do_token"])
def test_names(name: str) -> None:
    assert judge_variable("token", name, "EXAMPLE") is None


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("$REAPER", "write the name alone: token: REAPER"),
        ("${REAPER}", "write the name alone: token: REAPER"),
        ("open-sesame", "such as EXAMPLE, and write token: EXAMPLE"),
        ("dop_v1_" + "5e" * 32, "such as EXAMPLE"),
        ("a5" * 32, "such as EXAMPLE"),
        ("REAPER ", "such as EXAMPLE"),
    ],
)
def test_a_secret_in_place_of_its_name_is_not_repeated(given: str, hint: str) -> None:
    fault = judge_variable("token", given, "EXAMPLE")

    assert fault is not None
    assert fault.code == "secret-in-file"
    assert hint in fault.hint
    assert given not in fault.message + fault.hint
