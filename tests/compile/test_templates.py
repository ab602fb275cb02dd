from __future__ import annotations

from typing import Any

import pytest

from cloudburst.compile.expressions import AbsentName, ExpressionError
from cloudburst.compile.templates import Template, spots

SCOPE: dict[str, Any] = {"a": 2, "b": 0.1, "flag": True, "where": {"x": [1, 2]}}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ({"n": "{{ a }}"}, {"n": 2}),
        ({"n": "{{a*2}}"}, {"n": 4}),
        ({"n": "{{ where }}"}, {"n": {"x": [1, 2]}}),
        ({"n": " {{ a }}"}, {"n": " 2"}),
        ({"n": "{{ a }}-{{ b }}"}, {"n": "2-0.1"}),
        ({"n": "is {{ where }}"}, {"n": 'is {"x": [1, 2]}'}),
        ({"n": "{{ '{{' }}"}, {"n": "{{"}),
        ({"n": "{{ pi > 3 }}"}, {"n": True}),
        (["--n={{ a }}", 3, None], ["--n=2", 3, None]),
        ({"{{ a }}": {"deep": ["{{ b }}"]}}, {"{{ a }}": {"deep": [0.1]}}),
        ({"tex": "{% d %} {# c #} }} {{ a }}\n"}, {"tex": "{% d %} {# c #} }} 2\n"}),
        ({"plain": "{a}"}, {"plain": "{a}"}),
    ],
)
def test_a_template_is_filled(template: Any, value: Any) -> None:
    assert Template(template)(SCOPE) == value


def test_a_key_whose_whole_value_is_absent_is_left_out() -> None:
    template = Template({"kept": "{{ a }}", "gone": "{{ gone }}", "deep": {"gone": "{{ gone }}"}})
    assert template(SCOPE) == {"kept": 2, "deep": {}}


@pytest.mark.parametrize(
    "value", [{"k": "x {{ gone }}"}, {"k": "{{ gone * 2 }}"}, {"k": ["{{ gone }}"]}, ["{{ gone }}"]]
)
def test_elsewhere_what_is_absent_is_an_error_with_a_place(value: Any) -> None:
    template = Template(value, ("job",))
    with pytest.raises(AbsentName):
        template(SCOPE)
    found = template.failing(SCOPE)
    assert found is not None
    assert found[0][0] == "job"
    assert isinstance(found[1], AbsentName)


def test_a_template_that_does_not_fail_has_no_failing_place() -> None:
    assert Template({"kept": "{{ a }}", "gone": "{{ gone }}"}).failing(SCOPE) is None


def test_an_unreadable_text_is_refused_when_compiled() -> None:
    with pytest.raises(ExpressionError, match="cannot be read"):
        Template({"k": "x {{ a = 1 }}"})
    with pytest.raises(ExpressionError, match="cannot be read"):
        Template({"k": "x {{ a"})


@pytest.mark.parametrize("text", ["\0% for x in [1] %\0{{ a }}\0% endfor %\0", "\0# hidden #\0{{ a }}"])
def test_no_character_opens_jinjas_statements_and_comments(text: str) -> None:
    with pytest.raises(ExpressionError, match="U\\+0000"):
        Template({"k": text})
    assert Template({"k": text.replace("\0", "\1")})(SCOPE) == {
        "k": text.replace("\0", "\1").replace("{{ a }}", "2")
    }


def test_spots_say_where_and_whether_they_may_be_absent() -> None:
    found = spots({"k": "{{ a }}", "t": "x{{ b }}", "l": ["{{ c }}"]}, ("job",))
    assert [(spot.path, spot.expression.name, spot.optional) for spot in found] == [
        (("job", "k"), "a", True),
        (("job", "t"), "b", False),
        (("job", "l", 0), "c", False),
    ]
