"""`settings` of profiles and spaces checked against the model of SageMaker.

The model is read when a fleet holds such a table and not before. botocore itself checks no enum, pattern or maximum;
this does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from engine.config.reading.model_errors import kind_of
from engine.config.reading.problems import Code, Place, Problems, nearest, one_of, show_value
from engine.config.reading.toml_positions import scan
from engine.core.errors import ServiceModelError
from engine.core.text import is_safe
from engine.service_models.form import form_of
from engine.service_models.model_file import service_model
from engine.service_models.search import DATA_PATH_VARIABLE

_SERVICE: Final = "sagemaker"
_NEWER: Final = f"If SageMaker has added it since, set {DATA_PATH_VARIABLE} to a folder with a newer model"
_SHAPES: Final = {"user": "UserSettings", "space": "SpaceSettings"}
_WANTED: Final[dict[str, tuple[type, ...]]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}
_SAID: Final = {
    "structure": "a table",
    "map": "a table",
    "list": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
}


def _shapes() -> dict[str, Any]:
    """Return the shapes of SageMaker's model, read once. Raises ServiceModelError."""
    return service_model(_SERVICE).shapes


def check_settings(settings: dict[str, Any], kind: str, place: Place, problems: Problems) -> None:
    """Note everything in `settings` of a `user` or a `space` that the service would refuse."""
    try:
        shape = service_model(_SERVICE).shape(_SHAPES[kind])
    except ServiceModelError as error:
        if problems.first_time(ServiceModelError):
            problems.error(Code.FILE, place, error.message, error.hint)
        return
    _check(settings, shape, place, problems)


def legal_settings(settings: Mapping[str, Any], kind: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what of observed settings a fleet file takes, and the paths of what it does not.

    A list is taken whole or not at all, since a shorter one would be another setting; so is a table that lacks what the
    service requires.
    """
    if not settings:
        return {}, ()
    refused: list[str] = []
    legal = _legal_structure(settings, _shapes()[_SHAPES[kind]], "settings", refused)
    return legal or {}, tuple(refused)


def _legal_structure(
    value: Mapping[str, Any], shape: dict[str, Any], path: str, refused: list[str]
) -> dict[str, Any] | None:
    legal: dict[str, Any] = {}
    for key, item in value.items():
        inside, member = f"{path}.{key}", shape["members"].get(key)
        below = _shapes()[member["shape"]] if member is not None else {"type": ""}
        if below["type"] == "structure" and isinstance(item, Mapping):
            found = _legal_structure(item, below, inside, refused)
            if found:
                legal[key] = found
        elif _is_legal(item, below):
            legal[key] = item
        else:
            refused.append(inside)
    if set(shape.get("required", ())) - legal.keys():
        refused.append(path)
        return None
    return legal


def _is_legal(value: Any, shape: dict[str, Any]) -> bool:
    """Whether a fleet file takes a value, and can show it."""
    problems = Problems()
    _check(value, shape, Place("", scan("")), problems)
    return not problems.errors and all(map(is_safe, _texts(value)))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value that was checked."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _check(value: Any, shape: dict[str, Any], place: Place, problems: Problems) -> None:
    kind = shape["type"]
    if not isinstance(value, _WANTED.get(kind, ())) or (isinstance(value, bool) and kind != "boolean"):
        said = _SAID.get(kind, "a number")
        problems.error(Code.VALUE, place, f"expected {said}, found {kind_of(value)}", f"Write {said}")
    elif kind in _CHECKS:
        _CHECKS[kind](value, shape, place, problems)


def _check_list(value: Any, shape: dict[str, Any], place: Place, problems: Problems) -> None:
    _check_size(len(value), shape, place, "items", problems)
    for index, item in enumerate(value):
        _check(item, _shapes()[shape["member"]["shape"]], place.at(index), problems)


def _check_number(value: Any, shape: dict[str, Any], place: Place, problems: Problems) -> None:
    _check_size(value, shape, place, "", problems)


def _check_structure(value: Any, shape: dict[str, Any], place: Place, problems: Problems) -> None:
    members = shape["members"]
    for key, item in value.items():
        if key in members:
            _check(item, _shapes()[members[key]["shape"]], place.at(key), problems)
        else:
            hint = nearest(key, members) or f"The keys here are {one_of(members)}."
            message = f"{service_model(_SERVICE).name} has no such setting"
            problems.error(Code.UNKNOWN_KEY, place.at(key), message, f"{hint} {_NEWER}")
    for key in shape.get("required", ()):
        if key not in value:
            problems.error(Code.VALUE, place, f"{key} is missing", "Add it: the service requires it")


def _check_size(size: float, shape: dict[str, Any], place: Place, unit: str, problems: Problems) -> None:
    low, high = shape.get("min"), shape.get("max")
    found = f"{size} {unit}".rstrip()
    if low is not None and size < low:
        problems.error(Code.VALUE, place, f"{found} is less than {low}", f"The service takes {low} or more")
    elif high is not None and size > high:
        problems.error(Code.VALUE, place, f"{found} is more than {high}", f"The service takes {high} or less")


def _check_text(value: Any, shape: dict[str, Any], place: Place, problems: Problems) -> None:
    known = shape.get("enum")
    # Instance types: the service adds some before the SDK knows them.
    if known and value not in known and not value.startswith("ml."):
        hint = nearest(value, known) or f"It can be {one_of(known)}. {_NEWER}"
        problems.error(Code.VALUE, place, f"{show_value(value)} is not one of the service's values", hint)
        return
    _check_size(len(value), shape, place, "characters", problems)
    pattern = shape.get("pattern", "")
    has_form = form_of(pattern) if pattern else None
    if has_form is not None and not has_form(value):
        hint = "It must match " + show_value(pattern)
        problems.error(Code.VALUE, place, f"{show_value(value)} does not match the service's pattern", hint)


_CHECKS: Final[dict[str, Callable[[Any, dict[str, Any], Place, Problems], None]]] = {
    "structure": _check_structure,
    "list": _check_list,
    "string": _check_text,
    "integer": _check_number,
    "long": _check_number,
    "float": _check_number,
    "double": _check_number,
}
