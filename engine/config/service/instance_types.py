"""Instance types that no model of SageMaker knows, warned about wherever one is written.

The service adds types before anybody's model has them, so this is never an error. A size that is new in a family and a
family that is new look like typing errors, so a guess is made only of what can hardly be anything else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache
from typing import Final

from engine.config.reading.problems import Code, Place, Problems, nearest, show_value
from engine.config.service.service_model import INSTANCE_TYPES
from engine.core.errors import ServiceModelError

_SHAPE: Final = "AppInstanceType"
_DIGITS: Final = re.compile(r"\d+")


def warn_of_unknown_types(types: Iterable[str | None], place: Place, problems: Problems) -> None:
    """Note a warning at `place` for each type that is unknown, with the sizes that are known of its family."""
    for item in types:
        if item is not None and item not in INSTANCE_TYPES and item not in _of_model():
            message = f"{show_value(item)} is not an instance type that appfleet knows"
            problems.warning(Code.UNKNOWN_TYPE, place, message, _hint(item))


@cache
def _of_model() -> frozenset[str]:
    """Return what a newer model of the user adds. One that cannot be used adds nothing: a client's error names it."""
    from engine.service_models.model_file import service_model  # noqa: PLC0415  # only for what the constants lack

    try:
        model = service_model("sagemaker")
        return INSTANCE_TYPES if model.is_shipped else INSTANCE_TYPES.union(model.shape(_SHAPE).get("enum", ()))
    except ServiceModelError:
        return INSTANCE_TYPES


@cache
def _hint(text: str) -> str:
    """Return what to do about an unknown type: one that is newer than the model may be in thousands of tables."""
    known = _sizes()
    family, size = _parts(text)
    if family in known:
        guess = "" if size in set().union(*known.values()) else _nearest(text, [family])
        sizes = ", ".join(sorted(known[family], key=_size_order))
        return guess or f"The sizes of {family} that it knows: {sizes}. SageMaker may have added this one since"
    alike = [name for name in known if set(name) == set(family)]
    return _nearest(text, alike) or "SageMaker may have added it: check it against the types that your region offers"


def _nearest(text: str, families: Collection[str]) -> str:
    """Return a guess among types with the same numbers: another number is another size, and no slip of the keys."""
    numbers = _DIGITS.findall(text)
    types = (f"{family}.{size}" for family in families for size in _sizes()[family])
    return nearest(text, (item for item in types if _DIGITS.findall(item) == numbers))


@cache
def _sizes() -> dict[str, set[str]]:
    """Return the known sizes of each family, such as `ml.t3`."""
    sizes: defaultdict[str, set[str]] = defaultdict(set)
    for item in _of_model():
        family, size = _parts(item)
        if family:
            sizes[family].add(size)
    return dict(sizes)


def _parts(text: str) -> tuple[str, str]:
    family, _, size = text.rpartition(".")
    return family, size


def _size_order(size: str) -> tuple[int, str]:
    """Sort `micro` to `xlarge` before 2xlarge, and that before 12xlarge."""
    numbers = _DIGITS.match(size)
    return (int(numbers[0]) if numbers else 0, size)
