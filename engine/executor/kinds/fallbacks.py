"""What is said of an app that no instance type was available for: every type that was tried, not the last one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import NO_CAPACITY
from engine.core.quota_text import AND_THEN, command_in, without_advice
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from engine.executor.operation import AnyOperation

_CAPACITY_HINT: Final = "Add another type to `fallback`, or run again later: capacity comes and goes"


def after_fallbacks(operation: AnyOperation, trouble: Trouble | None) -> Trouble | None:
    """Return `trouble` with what the instance types before the last one met; as it is where there was but one."""
    if trouble is None or not operation.refused:
        return trouble
    tried = [*operation.refused, (operation.instance_type, trouble)]
    codes = {one.code for _, one in tried}
    if codes == {NO_CAPACITY}:
        return Trouble(trouble.code, f"{_listed([kind for kind, _ in tried])} had no capacity", _CAPACITY_HINT)
    told = "; ".join(
        f"{'' if number == 0 else 'its fallback '}{kind}: {without_advice(one.message)}"
        for number, (kind, one) in enumerate(tried)
    )
    return Trouble(trouble.code, told, _hint([one.hint for _, one in tried]))


def _listed(kinds: list[str]) -> str:
    first, *rest = kinds
    return f"{first} and its {'fallback' if len(rest) == 1 else 'fallbacks'} {', '.join(rest)}"


def _hint(hints: list[str]) -> str:
    """Return the last hint, with the commands of all that have one: each quota has to be raised by its own."""
    commands = list(dict.fromkeys(command for hint in hints if (command := command_in(hint))))
    if len(commands) <= 1:
        return next((hint for hint in hints if command_in(hint)), hints[-1])
    return f"No instance type has room in its quota. To raise them: {AND_THEN.join(commands)}"
