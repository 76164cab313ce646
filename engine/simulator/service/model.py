"""Requests checked against the service models that clients have: what passes here is what the SDK would send.

botocore checks that required members are there and have the right types; it checks no pattern, no enum and no longest
length, and those are checked here as well, from the same model. Each shape is compiled once into a plain function.
A well-formed instance type that the installed model does not list is taken, since the service adds types first.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from engine.core.text import count_of
from engine.service_models import model_file
from engine.service_models.form import form_of
from engine.simulator.world.service_error import VALIDATION, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

    Problems = list[tuple[bool, str]]  # (whether it is one of types, the text)
    Check = Callable[[Any, str, Problems], None]

INSTANCE_TYPE_SHAPE: Final = "AppInstanceType"
_INSTANCE_TYPE: Final = re.compile(r"ml(\.[a-z0-9][a-z0-9-]*){2}")
_LONGEST_SHOWN_CHARS: Final = 256
_SERVICES: Final = {
    "sagemaker": "sagemaker",
    "sts": "sts",
    "iam": "iam",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
    "pricing": "pricing",
    "sso-admin": "sso-admin",
    "identitystore": "identitystore",
}


@cache
def service_model(service: str) -> ServiceModel:
    """Return the model of a service that `_SERVICES` names. Raises ServiceModelError for one that cannot be used."""
    # Imported by the first check: a simulation in memory that checks no request needs no botocore.
    from botocore.model import ServiceModel  # noqa: PLC0415

    name = _SERVICES[service]
    return ServiceModel(model_file.service_model(name).content, name)


@cache
def instance_types() -> tuple[str, ...]:
    """Return the instance types that the model lists for apps, sorted."""
    shape = service_model("sagemaker").shape_for(INSTANCE_TYPE_SHAPE)
    return tuple(sorted(shape.enum))


def check_request(service: str, operation: str, params: Any) -> None:
    """Check what a caller sent. Raises the service's SerializationException or ValidationException."""
    problems: Problems = []
    _checker(service, operation)(params, "", problems)
    if not problems:
        return
    for is_of_type, text in problems:
        if is_of_type:
            raise ServiceError("SerializationException", text)
    found = count_of(len(problems), "validation error")
    raise ServiceError(VALIDATION, f"{found} detected: {'; '.join(text for _, text in problems)}")


@cache
def _checker(service: str, operation: str) -> Check:
    shape = service_model(service).operation_model(operation).input_shape
    return _compile(service, shape) if shape is not None else _check_nothing


def _compile(service: str, shape: Shape) -> Check:
    """Return the check of a shape. A shape inside itself is looked up when it is met, not before."""
    return _compiled(service, shape.name, shape)


_made: dict[tuple[str, str], Check] = {}


def _compiled(service: str, name: str, shape: Shape) -> Check:
    if (service, name) in _made:
        return _made[service, name]

    def later(value: Any, path: str, problems: Problems) -> None:
        _made[service, name](value, path, problems)

    _made[service, name] = later
    kind = shape.type_name
    if kind == "structure":
        check = _structure(service, shape)
    elif kind == "list":
        check = _list(service, shape)
    elif kind == "map":
        check = _map(service, shape)
    elif kind == "string":
        check = _string(shape)
    else:
        check = _scalar(shape)
    _made[service, name] = check
    return check


def _check_nothing(_value: Any, _path: str, _problems: Problems) -> None:
    """Take a call without parameters, and a document, which is any JSON."""


def _wrong_type(problems: Problems, path: str, wanted: str) -> None:
    problems.append((True, f"Value at '{path or '.'}' cannot be read as a {wanted}"))


def _unfit(problems: Problems, value: Any, path: str, constraint: str) -> None:
    shown = str(value)[:_LONGEST_SHOWN_CHARS]
    problems.append((False, f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"))


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _structure(service: str, shape: StructureShape) -> Check:
    if shape.is_document_type:
        return _check_nothing
    members = {name: (_compile(service, member), _lower_first(name)) for name, member in shape.members.items()}
    required = [(name, _lower_first(name)) for name in shape.required_members]
    is_union = shape.is_tagged_union

    def check(value: Any, path: str, problems: Problems) -> None:
        if value.__class__ is not dict:
            _wrong_type(problems, path, "structure")
            return
        prefix = f"{path}." if path else ""
        for name, shown in required:
            if value.get(name) is None:
                problems.append(
                    (False, f"Value null at '{prefix}{shown}' failed to satisfy constraint: Member must not be null")
                )
        for name, inner in value.items():
            known = members.get(name)
            if known is None:
                _unfit(problems, name, prefix.rstrip(".") or ".", "Member must be known to the service model")
            elif inner is not None:
                known[0](inner, f"{prefix}{known[1]}", problems)
        if is_union and len(value) != 1:
            problems.append((False, f"Value at '{path}' failed to satisfy constraint: Exactly one member must be set"))

    return check


def _list(service: str, shape: ListShape) -> Check:
    member = _compile(service, shape.member)
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any, path: str, problems: Problems) -> None:
        if value.__class__ is not list:
            _wrong_type(problems, path, "list")
            return
        _check_length(problems, value, path, low, high)
        for place, inner in enumerate(value, 1):
            member(inner, f"{path}.{place}.member", problems)

    return check


def _map(service: str, shape: MapShape) -> Check:
    key_check, value_check = _compile(service, shape.key), _compile(service, shape.value)
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any, path: str, problems: Problems) -> None:
        if value.__class__ is not dict:
            _wrong_type(problems, path, "map")
            return
        _check_length(problems, value, path, low, high)
        for key, inner in value.items():
            key_check(key, f"{path}.key", problems)
            value_check(inner, f"{path}.{key}", problems)

    return check


def _check_length(problems: Problems, value: Any, path: str, low: int | None, high: int | None) -> None:
    if low is not None and len(value) < low:
        _unfit(problems, value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        _unfit(problems, value, path, f"Member must have length less than or equal to {high}")


def _string(shape: StringShape) -> Check:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    pattern = shape.metadata.get("pattern")
    has_form = None if pattern in (None, ".*") else form_of(pattern)
    words = frozenset(shape.enum)
    is_instance_type = shape.name == INSTANCE_TYPE_SHAPE

    def check(value: Any, path: str, problems: Problems) -> None:
        if value.__class__ is not str:
            _wrong_type(problems, path, "string")
        elif (low is not None and len(value) < low) or (high is not None and len(value) > high):
            _check_length(problems, value, path, low, high)
        elif words and value not in words:
            if not (is_instance_type and _INSTANCE_TYPE.fullmatch(value)):
                _unfit(problems, value, path, f"Member must satisfy enum value set: [{', '.join(sorted(words))}]")
        elif has_form is not None and not has_form(value):
            _unfit(problems, value, path, f"Member must satisfy regular expression pattern: {pattern}")

    return check


def _scalar(shape: Shape) -> Check:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind == "boolean":
        accepted: tuple[type, ...] = (bool,)
    elif kind in ("integer", "long"):
        accepted = (int,)
    else:
        accepted = (int, float)

    def check(value: Any, path: str, problems: Problems) -> None:
        if value.__class__ not in accepted:
            _wrong_type(problems, path, kind)
        elif low is not None and value < low:
            _unfit(problems, value, path, f"Member must have value greater than or equal to {low}")
        elif high is not None and value > high:
            _unfit(problems, value, path, f"Member must have value less than or equal to {high}")

    return check
