"""How problems are said: paths, values, hints, and order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from engine.config.fleet.fleet_models import Table
from engine.config.reading.files import InputFile
from engine.config.reading.model_errors import check_table, kind_of
from engine.config.reading.problems import Code, Place, Problems, nearest, one_of, show_path, show_value
from engine.config.reading.toml_document import parse_document
from engine.config.reading.toml_positions import Positions, _Node, scan
from engine.config.service.settings_check import check_settings

HERE = Place("f.toml", Positions(_Node(0)))


class _Bounded(Table):
    least: Annotated[int, Field(ge=1)] = 1
    more: Annotated[float, Field(gt=0)] = 1.0
    most: Annotated[int, Field(le=9)] = 1
    less: Annotated[int, Field(lt=9)] = 1
    odd: Annotated[int, Field(multiple_of=2)] = 2
    word: Literal["one", "two"] = "one"
    one: _Bounded | None = None
    many: list[_Bounded] | None = None
    inner: dict[str, _Bounded] = {}  # noqa: RUF012  # pydantic copies defaults


def _said(data: Any) -> list[str]:
    problems = Problems()
    assert check_table(_Bounded, data, HERE, problems) is None
    return [d.render() for d in problems.errors]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), ""),
        (("a", "b-c", 0, "d"), "a.b-c[0].d"),
        (("a", "b c"), 'a."b c"'),
        (("a\x1b",), '"a\\u001b"'),
        (("{member}-lab", 1, 2), '"{member}-lab"[1][2]'),
    ],
)
def test_key_paths(path: tuple[str | int, ...], shown: str) -> None:
    assert show_path(path) == shown


def test_long_values_are_cut() -> None:
    assert len(show_value("x" * 500)) == 82


def test_nearest() -> None:
    assert nearest("Instance_Type", ["instance_type", "image_arn"]) == 'Did you mean "instance_type"?'
    assert nearest("zzz", ["instance_type"]) == ""
    assert nearest("x" * 100_000, ["x" * 70]) != "slow"


def test_among_thousands_of_words_only_those_that_begin_alike_are_compared() -> None:
    words = [f"team{number}" for number in range(600)] + ["lab"]
    assert nearest("labs", words) == 'Did you mean "lab"?'
    assert nearest("xab", words) == ""


def test_one_of() -> None:
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b", "c"]) == "a, b or c"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"least": 0}, "f.toml: least: 0 is less than 1. Use 1 or more"),
        ({"more": 0.0}, "f.toml: more: 0.0 is not more than 0.0. Use more than 0.0"),
        ({"most": 10}, "f.toml: most: 10 is more than 9. Use 9 or less"),
        ({"less": 9}, "f.toml: less: 9 is not less than 9. Use less than 9"),
        ({"odd": 3}, "f.toml: odd: this value is not allowed here. The rule is multiple_of"),
        ({"more": "1"}, "f.toml: more: expected a number, found text. Write it without quotes"),
        ({"word": 3}, "f.toml: word: \"3\" is not allowed here. It can be 'one' or 'two'"),
        ({"one": {"leas": 1}}, 'f.toml: one.leas: there is no such key. Did you mean "least"?'),
        ({"many": [{"leas": 1}]}, 'f.toml: many[0].leas: there is no such key. Did you mean "least"?'),
        ([], "f.toml: expected a table, found a list. Write it as { key = value }"),
        ({"inner": {"x": {"leas": 1}}}, 'f.toml: inner.x.leas: there is no such key. Did you mean "least"?'),
    ],
)
def test_models_speak_our_words(data: Any, said: str) -> None:
    assert _said(data) == [said]


def test_kinds_of_values() -> None:
    assert [kind_of(value) for value in (True, 1.5, object())] == [
        "true or false",
        "a number with a fraction",
        "a date or time",
    ]


def test_problems_are_in_order_and_warnings_apart() -> None:
    problems = Problems()
    place = Place("f.toml", scan("a = 1\nb = 2\n"))
    problems.error(Code.VALUE, place.at("b"), "second", "h")
    problems.warning(Code.VALUE, place.at("a"), "warned", "h")
    problems.of_file(Code.FILE, "f.toml", 0, "whole", "h")
    problems.error(Code.VALUE, place.at("a"), "first", "h")
    assert [d.message for d in problems.errors] == ["whole", "first", "second"]
    assert [d.message for d in problems.warnings] == ["warned"]
    assert place.at("b").source.line == 2


def _settings(settings: dict[str, Any], kind: str = "user") -> list[str]:
    problems = Problems()
    check_settings(settings, kind, HERE.at("settings"), problems)
    return [d.render() for d in problems.errors]


def test_settings_that_the_service_takes() -> None:
    assert (
        _settings(
            {
                "SecurityGroups": ["sg-1"],
                "JupyterServerAppSettings": {"DefaultResourceSpec": {"InstanceType": "system"}},
                "KernelGatewayAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.new9.xlarge"}},
                "CustomPosixUserConfig": {"Uid": 10_000, "Gid": 1001},
                "RStudioServerProAppSettings": {"AccessStatus": "ENABLED"},
                "StudioWebPortalSettings": {"HiddenMlTools": ["DataWrangler"]},
                "DefaultLandingUri": "studio::",
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SecurityGroups": [True]}, "settings.SecurityGroups[0]: expected text, found true or false"),
        ({"SecurityGroups": ["sg"] * 6}, "settings.SecurityGroups: 6 items is more than 5"),
        ({"CustomPosixUserConfig": {"Uid": True, "Gid": 1001}}, "Uid: expected a whole number"),
        ({"CustomPosixUserConfig": {"Uid": 1, "Gid": 1001}}, "Uid: 1 is less than 10000"),
        ({"ExecutionRole": "arn:aws:iam::x:role/nothing"}, "does not match the service's pattern"),
        ({"DefaultLandingUri": "x" * 2000}, "2000 characters is more than 1023"),
        ({"StudioWebPortal": "maybe"}, "It can be ENABLED or DISABLED"),
        ({"Zzz": 1}, "has no such setting. The keys here are ExecutionRole"),
    ],
)
def test_settings_that_the_service_refuses(settings: dict[str, Any], said: str) -> None:
    (only,) = _settings(settings)
    assert said in only


@pytest.mark.parametrize("text", ["a = 1\n[a]\n", "x = {a = 1}\n[x.b]\n", "a = [1 2]", "\x01", "a = '''x", 'a = "\\q"'])
def test_whatever_tomllib_says_becomes_a_line_and_a_hint(text: str) -> None:
    problems = Problems()
    assert parse_document(InputFile("f.toml", "f.toml", text.encode(), ""), problems) is None
    (only,) = problems.errors
    assert only.line >= 1
    assert only.hint
    assert "this is not TOML" not in only.message


def test_a_number_of_thousands_of_digits() -> None:
    problems = Problems()
    data = b"a = " + b"9" * 5_000
    assert parse_document(InputFile("f.toml", "f.toml", data, ""), problems) is None
    assert len(problems.errors) == 1


def test_a_value_is_shown_without_the_login_of_an_address() -> None:
    assert show_value("https://me:ghp_0123456789@git.example/a@b") == '"https://[redacted]@git.example/a@b"'
    assert show_value("me@corp.example") == '"me@corp.example"'
