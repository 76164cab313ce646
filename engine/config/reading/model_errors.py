"""pydantic's errors said in our own words, each at its line.

pydantic's messages repeat what was read, raw escapes included, and speak of Python; so only the place, the
type and the context of an error are used here. Not here: the checks themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.config.reading.problems import CUSTOM, Code, Place, Problems, nearest, one_of, show_value
from engine.core.limits import PROBLEMS_KEPT_MAX_COUNT

_QUOTED: Final = re.compile(r"'([^']*)'")
Model = TypeVar("Model", bound=BaseModel)

_WANTED: Final = {
    "string_type": ("text", 'Put it between quotes: "like this"'),
    "int_type": ("a whole number", "Write it without quotes and without a fraction"),
    "float_type": ("a number", "Write it without quotes"),
    "bool_type": ("true or false", "Write true or false, without quotes"),
    "list_type": ("a list", 'Write it as ["one", "two"]'),
    "dict_type": ("a table", "Write it as { key = value }"),
    "model_type": ("a table", "Write it as { key = value }"),
    "model_attributes_type": ("a table", "Write it as { key = value }"),
    "date_type": ("a date", "Write it as 2026-12-31, without quotes"),
}
_BOUNDS: Final = {
    "greater_than_equal": ("less than {ge}", "Use {ge} or more"),
    "greater_than": ("not more than {gt}", "Use more than {gt}"),
    "less_than_equal": ("more than {le}", "Use {le} or less"),
    "less_than": ("not less than {lt}", "Use less than {lt}"),
}


def check_table(
    model: type[Model], data: object, place: Place, problems: Problems, elsewhere: Mapping[str, str] | None = None
) -> Model | None:
    """Check one table as written; None when it is wrong, with every problem noted.

    `elsewhere` maps keys that belong to another place of the file to a hint that says so.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=True)[:PROBLEMS_KEPT_MAX_COUNT]:
            _note(detail, model, place, problems, elsewhere or {})
        return None


def _note(
    detail: ErrorDetails, model: type[BaseModel], place: Place, problems: Problems, elsewhere: Mapping[str, str]
) -> None:
    kind, where = detail["type"], place.at(*detail["loc"])
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == CUSTOM:
        code = Code.TAGS if detail["loc"] and detail["loc"][-1] == "tags" else Code.VALUE
        problems.error(code, where, context["message"], context["hint"])
    elif kind == "extra_forbidden":
        _note_unknown(where, _keys_at(model, detail["loc"][:-1]), problems, elsewhere)
    elif kind == "missing":
        problems.error(Code.VALUE, place.at(*detail["loc"][:-1]), f"{detail['loc'][-1]} is missing", "Add it")
    elif kind in _BOUNDS:
        said, hint = (text.format(**context) for text in _BOUNDS[kind])
        problems.error(Code.VALUE, where, f"{detail['input']} is {said}", hint)
    elif kind in _WANTED:
        wanted, hint = _WANTED[kind]
        problems.error(Code.VALUE, where, f"expected {wanted}, found {kind_of(detail['input'])}", hint)
    elif kind == "literal_error":
        found = str(detail["input"])
        hint = nearest(found, _QUOTED.findall(context["expected"])) or f"It can be {context['expected']}"
        problems.error(Code.VALUE, where, f"{show_value(found)} is not allowed here", hint)
    else:
        problems.error(Code.VALUE, where, "this value is not allowed here", f"The rule is {kind}")


def _note_unknown(where: Place, known: Sequence[str], problems: Problems, elsewhere: Mapping[str, str]) -> None:
    key = str(where.path[-1])
    choice = f"The keys here are {one_of(known)}" if known else "Remove it"
    hint = elsewhere.get(key) or nearest(key, known) or choice
    problems.error(Code.UNKNOWN_KEY, where, "there is no such key", hint)


def _keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of the table at `loc` below a table of `model`, as they are written."""
    current: Any = model
    for part in loc:
        current = _below(current, part)
    found = _model_in(current)
    if found is None:
        return ()
    return tuple(sorted((*(f.alias or name for name, f in found.model_fields.items()), *getattr(found, "parts", ()))))


def _below(annotation: Any, part: str | int) -> Any:
    """Return the annotation of what stands at `part` of a table or list that has this annotation."""
    model = _model_in(annotation)
    if model is not None:
        return next((f.annotation for name, f in model.model_fields.items() if (f.alias or name) == part), None)
    arguments = get_args(annotation)
    if get_origin(annotation) in {dict, list}:
        return arguments[-1]
    return next((found for item in arguments if (found := _below(item, part)) is not None), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model in `Model`, `Model | None` and `Annotated[Model, …]`; lists and tables are not entered."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) in {dict, list}:
        return None
    return next((found for item in get_args(annotation) if (found := _model_in(item)) is not None), None)


def kind_of(value: object) -> str:
    """Say what kind of TOML value was found."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number with a fraction"),
        (list, "a list"),
        (dict, "a table"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date or time")
