"""Listings of more than one page, followed to their end by one rule.

A listing ends at the page that names no other. One that names a page which came before, or never ends, is an error and
not a short listing: what it did not show would be taken for absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from engine.core.errors import ScanIncomplete
from engine.core.limits import SCAN_PAGES_MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

TOKEN_TWICE: Final = "the service returned the same NextToken twice"  # noqa: S105 - a sentence, no secret
_HINT: Final = "Nothing was read from it. Check the proxy and --endpoint-url, then run again"


class Page(Protocol):
    """One answer of a listing."""

    @property
    def next_token(self) -> str:
        """What the next page is asked for with; empty on the last one."""
        ...


P = TypeVar("P", bound=Page)


async def pages(
    ask: Callable[[str], Awaitable[P]], operation: str, of: str, *, at_most: int = SCAN_PAGES_MAX_COUNT
) -> AsyncGenerator[P, None]:
    """Yield each page that `ask` returns for a token, from the first one to the last one.

    `of` says what is listed. Raises ScanIncomplete where a token comes twice or more than `at_most` pages come, and
    whatever `ask` raises. Close it (`contextlib.aclosing`) when it is left before its end.
    """
    token = ""
    seen = {token}
    for _ in range(at_most):
        page = await ask(token)
        yield page
        token = page.next_token
        if not token:
            return
        if token in seen:
            raise _incomplete(operation, of, TOKEN_TWICE)
        seen.add(token)
    raise _incomplete(operation, of, f"more than {at_most} pages")


def _incomplete(operation: str, of: str, why: str) -> ScanIncomplete:
    return ScanIncomplete(f"{operation} of {of} could not be completed: {why}", hint=_HINT, operation=operation)
