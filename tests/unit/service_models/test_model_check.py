"""Models of users: whatever the product reads of one is looked at before anything relies on it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from engine.service_models.model_check import model_fault
from tests.models import newer_model, older_model, own_model

NEEDED = ("CreateApp", "DescribeSpace")


def test_the_protocol_of_another_service_is_not_asked_for() -> None:
    assert model_fault(changed(("metadata", "protocol"), "query"), ()) == ""
    old = own_model()
    del old["metadata"]["protocols"], old["metadata"]["auth"]
    assert model_fault(old, NEEDED) == ""


@pytest.mark.parametrize("model", [own_model(), newer_model(), older_model()])
def test_models_that_can_be_used(model: dict[str, Any]) -> None:
    assert model_fault(model, NEEDED) == ""


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    model = part = own_model()
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return model


OFFERS, NEEDS = "its metadata offers ", ", and appfleet needs "
SHAPE = "its shape ResourceSpec has another form than botocore's"
OPERATION = "its operation CreateApp has "


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("shapes",), [], "it is not a service model of botocore's form (it has no table shapes)"),
        (("metadata", "protocol"), 3, "its metadata has no text protocol"),
        (("metadata", "targetPrefix"), None, "its metadata has no text targetPrefix"),
        (
            ("metadata", "protocols"),
            ["smithy-rpc-v2-cbor"],
            OFFERS + "protocol ['smithy-rpc-v2-cbor']" + NEEDS + "json",
        ),
        (("metadata", "protocols"), "json", OFFERS + "protocol json" + NEEDS + "json"),
        (("metadata", "auth"), ["new#auth"], OFFERS + "signatureVersion ['new#auth']" + NEEDS + "aws.auth#sigv4 or v4"),
        (("operations", "CreateApp"), [], OPERATION + "another form than botocore's"),
        (("operations", "CreateApp", "name"), "Create", OPERATION + "another form than botocore's"),
        (("operations", "CreateApp", "http"), {"method": "POST"}, OPERATION + "no http method and address"),
        (("operations", "CreateApp", "errors"), ["X"], OPERATION + "errors that are no shapes"),
        (("operations", "CreateApp", "errors"), {}, OPERATION + "errors that are no shapes"),
        (("operations", "CreateApp", "output"), "X", OPERATION + "an output that is not a shape"),
        (("operations", "CreateApp", "errors"), [{"shape": "X"}], "it has no shape X, which CreateApp names"),
        (("shapes", "ResourceSpec"), None, SHAPE),
        (("shapes", "ResourceSpec", "type"), "thing", SHAPE),
        (("shapes", "ResourceSpec", "members"), [], SHAPE),
        (("shapes", "ResourceSpec", "members", "InstanceType"), "X", SHAPE),
        (("shapes", "ResourceSpec", "required"), [3], SHAPE),
        (("shapes", "ResourceSpec", "type"), "map", SHAPE),
        (("shapes", "AppName", "pattern"), 3, "its shape AppName has another form than botocore's"),
        (("shapes", "AppName", "max"), "63", "its shape AppName has another form than botocore's"),
        (("shapes", "AppType", "enum"), "JupyterLab", "its shape AppType has another form than botocore's"),
        (("shapes", "TagList", "member"), None, "its shape TagList has another form than botocore's"),
    ],
)
def test_models_that_cannot(path: tuple[str, ...], value: Any, fault: str) -> None:
    assert model_fault(changed(path, value), NEEDED) == fault


def test_an_operation_that_is_needed_is_missed_by_name() -> None:
    assert model_fault(own_model(), ("CreateApp", "Nothing")) == "it has no operation Nothing"


def _paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += _paths(item, (*path, name))
    return found


PATHS = _paths(own_model())
JUNK = st.sampled_from(
    [None, True, -1, 1.5, "", "X", [], ["X"], [3], {}, {"shape": "X"}, {"shape": 3}, {"type": "map"}]
)


@given(path=st.sampled_from(PATHS), junk=JUNK)
def test_what_passes_has_every_shape_that_clients_ask_for(path: tuple[str, ...], junk: Any) -> None:
    model = changed(path, junk)
    if model_fault(model, NEEDED):
        return
    known = ServiceModel(model, "sagemaker")
    for name in known.operation_names:
        operation = known.operation_model(name)
        for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
            assert shape is None or shape.members is not None
