from __future__ import annotations

import pytest

from engine.policy.facts import APP_TYPES, GROUP_TYPES
from engine.policy.template import TemplateError, parse_template


def test_names_are_filled_in_and_doubled_braces_are_braces() -> None:
    template = parse_template("{{{team}}} has {instance_type}, not {{x}}", APP_TYPES)
    assert template.fill({"team": "vision", "instance_type": ""}) == "{vision} has none, not {x}"


def test_a_message_without_names_is_itself() -> None:
    assert parse_template("no", APP_TYPES).fill({}) == "no"


def test_values_cannot_bring_control_characters_into_a_message() -> None:
    filled = parse_template("{team}", APP_TYPES).fill({"team": "a\x1b[2Jb\n"})
    assert filled.isprintable()


@pytest.mark.parametrize(
    ("text", "names", "fragment", "hint"),
    [
        ("{tem}", APP_TYPES, "uses {tem}", "Did you mean {team}?"),
        ("{zzz}", GROUP_TYPES, "uses {zzz}", "Known names: group, count"),
        ("{apps}", GROUP_TYPES, "every app of the group", "{count}"),
        ("{", APP_TYPES, "a single {", "Write {{"),
        ("a } b", APP_TYPES, "a single }", "Write }}"),
        ("{}", APP_TYPES, "uses {}", "Known names:"),
        ("{team.__class__}", APP_TYPES, "not a known name here", "Known names:"),
        ("{team!r}", APP_TYPES, "not a known name here", "?"),
        ("{hourly_usd:.2f}", APP_TYPES, "not a known name here", "?"),
        ("{0}", APP_TYPES, "not a known name here", "Known names:"),
    ],
)
def test_a_message_that_speaks_of_something_else_is_refused(
    text: str, names: dict[str, str], fragment: str, hint: str
) -> None:
    with pytest.raises(TemplateError) as raised:
        parse_template(text, names)
    assert fragment in raised.value.message
    assert hint in raised.value.hint
