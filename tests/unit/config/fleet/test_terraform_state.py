"""The JSON of a Terraform state: what is read of it, what is taken out, and one error for anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.config.fleet.terraform_state import Resource, State, read_state
from engine.core.errors import UsageError
from tests.terraform_states import app, domain, profile, resource, state

APP = "aws_sagemaker_app"
KINDS = frozenset({APP, "aws_sagemaker_user_profile"})


def read(document: Any) -> State:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_state(raw, "state.json", KINDS)


def test_resources_of_modules_at_any_depth_are_read_with_their_addresses() -> None:
    """As count and for_each make them."""
    deep = {"resources": [app("c", index='x"y', module="module.a[0].module.b")]}
    modules = [{"resources": [app("b", index=0, module="module.a[0]")], "child_modules": [deep]}]

    found = read(state(app("a"), modules=modules)).resources

    assert [(one.address, one.values["user_profile_name"]) for one in found] == [
        ("aws_sagemaker_app.app", "a"),
        ("module.a[0].aws_sagemaker_app.app[0]", "b"),
        ('module.a[0].module.b.aws_sagemaker_app.app["x\\"y"]', "c"),
    ]


def test_modules_in_one_another_are_no_limit_of_the_stack() -> None:
    """What reads JSON has its own."""
    module: dict[str, Any] = {"resources": [app("a")]}
    for _ in range(150):
        module = {"child_modules": [module]}
    assert len(read(state(modules=[module])).resources) == 1


def test_other_types_are_counted_and_data_sources_are_not() -> None:
    roles = [resource("aws_iam_role", "r", {}, index=number) for number in range(3)]
    data = resource("aws_iam_role", "d", {}) | {"mode": "data"}
    assert read(state(*roles, domain(), data)).others == {"aws_iam_role": 3, "aws_sagemaker_domain": 1}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tainted": True}, "tainted"),
        ({"deposed_key": "00000000"}, "deposed"),
        ({"sensitive_values": True}, "none of its values may be read"),
        ({"values": None}, "none of its values may be read"),
    ],
)
def test_what_cannot_be_believed_is_left_out_and_named(more: dict[str, Any], why: str) -> None:
    found = read(state(app("a") | more))

    assert found.resources == ()
    ((said, names),) = found.left_out.items()
    assert why in said
    assert names == ("aws_sagemaker_app.app",)


@pytest.mark.parametrize(
    ("values", "marks", "shown", "hidden"),
    [
        ({"a": "SECRET", "b": 1}, {"a": True}, {"a": None, "b": 1}, ("a",)),
        ({"a": [{"b": "SECRET", "c": 1}]}, {"a": [{"b": True}]}, {"a": [{"b": None, "c": 1}]}, ("a.b",)),
        ({"a": [{"b": "SECRET"}]}, {"a": True}, {"a": None}, ("a",)),
        ({"a": ["x", "SECRET"]}, {"a": [False, True]}, {"a": None}, ("a",)),
        ({"a": ["SECRET"]}, {"a": [True]}, {"a": None}, ("a",)),
        ({"a": [{"b": "x"}, {"b": "SECRET"}]}, {"a": [{}, {"b": True}]}, {"a": None}, ("a",)),
        ({"a": [{"b": "x"}, {"b": "y"}]}, {"a": [{}, {"b": [False]}]}, {"a": [{"b": "x"}, {"b": "y"}]}, ()),
        ({"a": [{"b": "x"}]}, {"a": []}, {"a": [{"b": "x"}]}, ()),
        ({"a": {"b": {"c": "SECRET"}}}, {"a": {"b": {"c": True}}}, {"a": {"b": {"c": None}}}, ("a.b.c",)),
    ],
)
def test_what_is_marked_as_sensitive_is_taken_out_wherever_it_is(
    values: dict[str, Any], marks: dict[str, Any], shown: dict[str, Any], hidden: tuple[str, ...]
) -> None:
    """A list of several is kept whole or not at all: a shorter one would say something else."""
    row = resource(APP, "x", values) | {"sensitive_values": marks}
    assert read(state(row)).resources == (Resource("aws_sagemaker_app.x", APP, shown, hidden),)


def test_what_has_no_marks_is_read_and_counted() -> None:
    """As Terraform wrote it before 1.1."""
    row = app("a")
    del row["sensitive_values"]
    found = read(state(row, app("b")) | {"format_version": "0.2"})
    assert (len(found.resources), found.unmarked, found.left_out) == (2, 1, {})


def test_a_state_without_resources_has_none() -> None:
    assert read({"format_version": "1.0"}) == State((), {})
    assert read({"format_version": "1.2", "values": {"root_module": {}}}) == State((), {})


@pytest.mark.parametrize(
    ("document", "said", "hint"),
    [
        (b'{"format_version": ', "state.json:1: not JSON", "terraform show -json"),
        (b"# aws_sagemaker_app.x:\nresource {", "state.json:1: not JSON", "terraform show -json"),
        (b"", "not JSON", "terraform show -json"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8", "terraform show -json"),
        (b'{"a": NaN}', "a number that JSON does not have", "terraform show -json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number that JSON does not have", "terraform show -json"),
        (b"[" * 100_000, "nested too deeply", "terraform show -json"),
        (b'{"a":' * 100_000, "nested too deeply", "terraform show -json"),
        ([1], "it is not an object", "terraform show -json"),
        ({"a": 1}, "it has no format_version", "terraform show -json"),
        ({"format_version": "1.2", "planned_values": {}}, "of a Terraform plan", "without the name of a plan file"),
        ({"format_version": "1.2", "prior_state": {}}, "of a Terraform plan", "without the name of a plan file"),
        ({"version": 4, "terraform_version": "1.9", "resources": []}, "as Terraform stores it", "convert it"),
        ({"format_version": "2.0", "values": {}}, "format_version 2.0", "1.x"),
        ({"format_version": 1, "values": {}}, "format_version 1,", "1.x"),
        ({"format_version": "9\x1b[2J\n", "values": {}}, "format_version 9\\u001b[2J ,", "1.x"),
        ({"format_version": "1.0", "values": []}, "values is not an object", "terraform show -json"),
        ({"format_version": "1.0", "values": {"root_module": 1}}, "a module is not an object", "terraform show"),
        (state() | {"values": {"root_module": {"resources": {}}}}, "resources is not a list", "terraform show"),
        (state() | {"values": {"root_module": {"resources": [1]}}}, "a resource is not an object", "terraform show"),
        (state() | {"values": {"root_module": {"child_modules": 1}}}, "child_modules is not a list", "terraform show"),
    ],
)
def test_anything_else_is_one_clear_error(document: Any, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(document)
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_byte_order_mark_is_no_part_of_a_state() -> None:
    """Shells of Windows write one."""
    assert read(b"\xef\xbb\xbf" + json.dumps(state(profile("a"))).encode()).resources


def test_a_resource_without_an_address_has_its_type_and_name() -> None:
    row = app("a")
    del row["address"]
    assert read(state(row)).resources[0].address == "aws_sagemaker_app.app"
