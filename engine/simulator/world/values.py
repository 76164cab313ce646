"""The numbers that a world may hold, as pydantic checks them in a saved world. A world that runs checks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, WrapValidator

from engine.core.limits import KEPT_COUNT_MAX_COUNT, MOMENT_MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER: Final = float("inf")  # null where it is saved: JSON has no infinity


def _or_never(value: Any, check: Callable[[Any], float]) -> float:
    return NEVER if value is None else check(value)


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("a range begins with its smaller number")
    return bounds


Count = Annotated[int, Field(ge=0, le=KEPT_COUNT_MAX_COUNT)]
Number = Annotated[float, Field(ge=0, le=MOMENT_MAX_SECONDS)]  # a time in epoch seconds, a duration, a rate, a price
NumberOrNever = Annotated[Number, WrapValidator(_or_never)]
Range = Annotated[tuple[Number, Number], AfterValidator(_ordered)]
