"""Lists of things in a sentence."""

from __future__ import annotations

import pytest

from cloudburst.words import listed


@pytest.mark.parametrize(
    ("words", "said"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcd", "a, b, c and d")],
)
def test_words_are_listed_as_one_says_them(words: str, said: str) -> None:
    assert listed(words) == said
    assert listed(words, "or") == said.replace("and", "or")
    assert listed(words, most=4) == said


def test_of_too_many_words_the_rest_is_counted() -> None:
    assert listed("abcd", most=2) == "a, b and 2 more"
    assert listed("abcd", most=1) == "a and 3 more"
