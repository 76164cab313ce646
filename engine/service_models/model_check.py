"""Whether a model that a user brought is one at all: whatever is read of it later is looked at here first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_PARTS: Final = {"list": ("member",), "map": ("key", "value")}
_SCALARS: Final = frozenset(
    {"string", "boolean", "integer", "long", "float", "double", "timestamp", "blob", "bigdecimal", "character"}
)
_METADATA: Final = ("apiVersion", "endpointPrefix", "protocol", "serviceId", "signatureVersion")
_JSON: Final = ("jsonVersion", "targetPrefix")  # what the protocol needs
_SPOKEN: Final = frozenset({"json"})
_SIGNED: Final = frozenset({"v4", "aws.auth#sigv4"})
_NUMBERS: Final = ("min", "max")
_LISTS: Final = ("required", "enum")


def model_fault(content: Any, needed: Iterable[str]) -> str:
    """Return why a model cannot be used, or an empty text. `needed` are the operations that it must have."""
    for part in ("metadata", "operations", "shapes"):
        if not isinstance(content, dict) or not isinstance(content.get(part), dict):
            return f"it is not a service model of botocore's form (it has no table {part})"
    for key in _METADATA:
        if not isinstance(content["metadata"].get(key), str):
            return f"its metadata has no text {key}"
    needed = tuple(needed)
    if needed and (fault := _protocol_fault(content["metadata"])):
        return fault
    for name in needed:
        if name not in content["operations"]:
            return f"it has no operation {name}"
    for name, operation in content["operations"].items():
        fault = _operation_fault(name, operation)
        if fault:
            return fault
    return _shapes_fault(content["shapes"], _roots(content["operations"]))


def _protocol_fault(metadata: Mapping[str, Any]) -> str:
    """Return why clients could not speak to the service: of several protocols and signatures they need these."""
    for offered, one, spoken in (("protocols", "protocol", _SPOKEN), ("auth", "signatureVersion", _SIGNED)):
        several = metadata.get(offered) or [metadata[one]]
        if not isinstance(several, list) or spoken.isdisjoint(map(str, several)):
            return f"its metadata offers {one} {several}, and appfleet needs {' or '.join(sorted(spoken))}"
    for key in _JSON:
        if not isinstance(metadata.get(key), str):
            return f"its metadata has no text {key}"
    return ""


def _operation_fault(name: str, operation: Any) -> str:
    if not isinstance(operation, dict) or operation.get("name") != name:
        return f"its operation {name} has another form than botocore's"
    http, errors = operation.get("http"), operation.get("errors", [])
    if not isinstance(http, dict) or not all(isinstance(http.get(key), str) for key in ("method", "requestUri")):
        return f"its operation {name} has no http method and address"
    if not isinstance(errors, list) or not all(map(_is_reference, errors)):
        return f"its operation {name} has errors that are no shapes"
    for part in ("input", "output"):
        if part in operation and not _is_reference(operation[part]):
            return f"its operation {name} has an {part} that is not a shape"
    return ""


def _roots(operations: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield each shape that an operation names, and the operation."""
    for name, operation in operations.items():
        for part in ("input", "output"):
            if part in operation:
                yield operation[part]["shape"], name
        for error in operation.get("errors", ()):
            yield error["shape"], name


def _shapes_fault(shapes: Mapping[str, Any], roots: Iterable[tuple[str, str]]) -> str:
    """Follow every shape from the operations; a shape may hold itself."""
    seen: set[str] = set()
    pending = list(roots)
    while pending:
        name, whose = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in shapes:
            return f"it has no shape {name}, which {whose} names"
        shape = shapes[name]
        if not _is_shape(shape):
            return f"its shape {name} has another form than botocore's"
        pending += [(one["shape"], name) for one in _below(shape)]
    return ""


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, dict) or not all(_is_texts(shape.get(key, [])) for key in _LISTS):
        return False
    if not all(isinstance(shape.get(key, ""), str) for key in ("type", "pattern")):
        return False
    if not all(isinstance(shape.get(key, 0), int | float) for key in _NUMBERS):
        return False
    kind = shape.get("type")
    if kind == "structure":
        members = shape.get("members")
        return isinstance(members, dict) and all(map(_is_reference, members.values()))
    if kind in _PARTS:
        return all(_is_reference(shape.get(part)) for part in _PARTS[kind])
    return kind in _SCALARS


def _below(shape: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if shape["type"] == "structure":
        return list(shape["members"].values())
    return [shape[part] for part in _PARTS.get(shape["type"], ())]


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("shape"), str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
