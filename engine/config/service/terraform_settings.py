"""Blocks of Terraform's AWS provider as structures of SageMaker's API.

The provider writes the API's own members in its own spelling, so the model of SageMaker says what a block means: `_`
stands between words, and a block that may come several times has a name in the singular.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.service_models.model_file import service_model

_SERVICE: Final = "sagemaker"


def structure_of(block: Any, shape: str, path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a block as a structure of the API, and the paths of what it sets and that has no place there.

    `path` is the block's own. What is null, empty, zero or false is not set: the provider writes that for what nobody
    set. Values are not checked. Raises ServiceModelError.
    """
    unknown: list[str] = []
    return _structure(block, service_model(_SERVICE).shape(shape), path, unknown), tuple(unknown)


def is_set(value: Any) -> bool:
    """Whether a value of a state sets anything."""
    if isinstance(value, dict | list):
        return any(map(is_set, value.values() if isinstance(value, dict) else value))
    return bool(value)


def _structure(block: Any, shape: Mapping[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    if isinstance(block, list) and len(block) == 1:  # as the provider writes a block that comes once
        block = block[0]
    if not isinstance(block, dict):
        if is_set(block):
            unknown.append(path)
        return {}
    members = {_folded(member): member for member in shape["members"]}
    made: dict[str, Any] = {}
    for key, value in block.items():
        if not is_set(value):
            continue
        inside = f"{path}.{key}"
        member = _member(key, members)
        if member is None:
            unknown.append(inside)
            continue
        found = _value(value, service_model(_SERVICE).shape(shape["members"][member]["shape"]), inside, unknown)
        if found not in ({}, []):
            made[member] = found
    return made


def _value(value: Any, shape: Mapping[str, Any], path: str, unknown: list[str]) -> Any:
    if shape["type"] == "structure":
        return _structure(value, shape, path, unknown)
    if shape["type"] != "list" or not isinstance(value, list):
        return value
    item = service_model(_SERVICE).shape(shape["member"]["shape"])
    if item["type"] != "structure":
        return value
    before = len(unknown)
    made = [_structure(one, item, path, unknown) for one in value]
    if len(unknown) > before:  # a list with half an item would be another setting
        unknown[before:] = [path]
        return []
    return made


def _member(key: str, members: Mapping[str, str]) -> str | None:
    """Return the member that a key of the provider is: `custom_image` is CustomImages."""
    folded = _folded(key)
    names = (folded, f"{folded}s", f"{folded.removesuffix('y')}ies")
    return next((members[name] for name in names if name in members), None)


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()
