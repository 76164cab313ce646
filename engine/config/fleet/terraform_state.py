"""The JSON of a Terraform state, as `terraform show -json` prints it: its resources, in modules at any depth.

A value that Terraform marks as sensitive is taken out here, so that nothing behind this can write it. Not here: what
the resources mean (`terraform_rows`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from engine.core.errors import UsageError
from engine.core.text import SHOWN_VALUE_MAX_CHARS, clean

SHOW: Final = "terraform show -json > state.json"
_FORMAT_MAJORS: Final = ("0", "1")  # 0 before Terraform 1.1, in the same form
_OF_PLANS: Final = ("planned_values", "resource_changes", "prior_state")
_MANAGED: Final = "managed"
_DEPOSED: Final = "Terraform replaced it and has not destroyed it yet (deposed)"
_TAINTED: Final = "Terraform is going to replace it (tainted)"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that Terraform manages, without its sensitive values; `hidden` are the paths of those."""

    address: str
    kind: str
    values: Mapping[str, Any]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The resources of the kinds that were asked for, by address, and what was left out: why -> addresses.

    `others` counts the resources of other kinds, and `unmarked` those that do not say what of them is sensitive.
    """

    resources: tuple[Resource, ...]
    left_out: Mapping[str, tuple[str, ...]]
    others: Mapping[str, int] = field(default_factory=dict)
    unmarked: int = 0


def read_state(raw: bytes, name: str, kinds: frozenset[str]) -> State:
    """Read a state; `name` is how messages name the file. Raises UsageError for anything else."""
    try:
        return _state(_document(raw, name), name, kinds)
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply for the JSON of a state", hint=_hint()) from None


def _hint() -> str:
    return f"Write it with: {SHOW}"


def _document(raw: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8", hint=_hint()) from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: not JSON: {error.msg}", hint=_hint()) from None
    except ValueError:  # a constant that JSON does not have, or a number of thousands of digits
        raise UsageError(f"{name} is not JSON: it has a number that JSON does not have", hint=_hint()) from None
    if not isinstance(document, dict):
        raise _not_a_state(name, "it is not an object")
    if any(key in document for key in _OF_PLANS):
        hint = f"Run it without the name of a plan file: {SHOW}"
        raise UsageError(f"{name} is the JSON of a Terraform plan, and import reads that of a state", hint=hint)
    version = document.get("format_version")
    if version is None:
        if "terraform_version" in document and "version" in document:
            hint = f"Let Terraform convert it, where its providers are installed: {SHOW}"
            raise UsageError(f"{name} is a state file as Terraform stores it, and not its JSON output", hint=hint)
        raise _not_a_state(name, "it has no format_version")
    if not isinstance(version, str) or version.split(".")[0] not in _FORMAT_MAJORS:
        said = clean(str(version), SHOWN_VALUE_MAX_CHARS)
        hint = f"Terraform 1 and OpenTofu write format_version 1.x: {SHOW}"
        raise UsageError(f"{name} has format_version {said}, which this appfleet does not know", hint=hint)
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _not_a_state(name: str, why: str) -> UsageError:
    return UsageError(f"{name} is not the JSON of a Terraform state: {why}", hint=_hint())


def _state(document: Mapping[str, Any], name: str, kinds: frozenset[str]) -> State:
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    others: defaultdict[str, int] = defaultdict(int)
    found: list[Resource] = []
    unmarked = 0
    for address, row in _rows(document, name):
        kind = row.get("type")
        if row.get("mode") != _MANAGED:  # a data source, which looks and manages nothing
            continue
        if not isinstance(kind, str) or kind not in kinds:
            others[clean(str(kind), SHOWN_VALUE_MAX_CHARS)] += 1
            continue
        marks, values = row.get("sensitive_values"), row.get("values")
        if why := _why_not(row):
            left_out[why].append(address)
        elif marks is True or not isinstance(values, dict):
            left_out["none of its values may be read"].append(address)
        else:
            unmarked += marks is None
            hidden: list[str] = []
            shown = _shown(values, marks, "", hidden)
            found.append(Resource(address, kind, shown, tuple(hidden)))
    found.sort(key=lambda one: one.address)
    return State(
        tuple(found),
        {why: tuple(sorted(names)) for why, names in sorted(left_out.items())},
        dict(sorted(others.items())),
        unmarked,
    )


def _why_not(row: Mapping[str, Any]) -> str:
    """Return why a resource is left out, whatever its values are; empty when it is not."""
    if "deposed_key" in row:
        return _DEPOSED
    return _TAINTED if row.get("tainted") else ""


def _rows(document: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the address and the object of each resource of the root module and of all below it."""
    values = document.get("values")
    if values is None:
        return
    waiting = [_table(values, name, "values").get("root_module", {})]
    while waiting:
        module = _table(waiting.pop(), name, "a module")
        for row in _list(module.get("resources"), name, "resources"):
            table = _table(row, name, "a resource")
            yield str(table.get("address") or f"{table.get('type')}.{table.get('name')}"), table
        waiting += _list(module.get("child_modules"), name, "child_modules")


def _table(value: Any, name: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _not_a_state(name, f"{what} is not an object")
    return value


def _list(value: Any, name: str, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _not_a_state(name, f"{what} is not a list")
    return value


def _shown(value: Any, marks: Any, path: str, hidden: list[str]) -> Any:
    """Return a copy without what is marked, and note the paths of that. A list of several is kept whole or not at all.

    Terraform writes a block as a list of one table, and what is marked in it leaves the rest of the block.
    """
    if marks is True:
        hidden.append(path)
        return None
    if isinstance(value, dict) and isinstance(marks, dict):
        inside = f"{path}." if path else ""
        return {key: _shown(item, marks.get(key), inside + clean(str(key)), hidden) for key, item in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        if len(value) == 1 and isinstance(value[0], dict):
            return [_shown(value[0], marks[0] if marks else None, path, hidden)]
        if any(_has_mark(mark) for mark in marks):
            hidden.append(path)
            return None
    return value


def _has_mark(marks: Any) -> bool:
    if isinstance(marks, dict | list):
        return any(_has_mark(mark) for mark in (marks.values() if isinstance(marks, dict) else marks))
    return marks is True
