"""Rows in the order of their creation, given out page by page.

A token names the place behind the last row that was given, so rows that are appended later do not move it and a
page costs its own length, however long the listing is. Not here: what a row shows (`shapes`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.simulator.world.service_error import VALIDATION, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE_DEFAULT_ROWS: Final = 10
COMPACT_FLOOR_ROWS: Final = 64
_NOT_OURS: Final = (VALIDATION, "NextToken is not valid for this request.")


class Row(Protocol):
    """Anything with a place in the order and a mark that it is gone."""

    seq: int
    gone: bool


RowT = TypeVar("RowT", bound=Row)
T = TypeVar("T")


class CreationIndex(Generic[RowT]):
    """Rows by `seq`, which only grows. Rows marked `gone` are skipped, and cleared away when they are the half."""

    __slots__ = ("_dead", "_rows", "_seqs")

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._rows: list[RowT] = []
        self._dead = 0

    def append(self, row: RowT) -> None:
        """Add a row that is younger than all others."""
        self._seqs.append(row.seq)
        self._rows.append(row)

    def note_gone(self) -> None:
        """Count one row that was marked gone."""
        self._dead += 1
        if self._dead > COMPACT_FLOOR_ROWS and self._dead * 2 > len(self._rows):
            self._rows = [row for row in self._rows if not row.gone]
            self._seqs = [row.seq for row in self._rows]
            self._dead = 0

    def __iter__(self) -> Iterator[RowT]:
        return (row for row in self._rows if not row.gone)

    def __len__(self) -> int:
        return len(self._rows) - self._dead

    def page(
        self, after: int | None, size: int, *, descending: bool, keep: Callable[[RowT], bool] | None = None
    ) -> tuple[list[RowT], int | None]:
        """Return up to `size` rows that come behind the row `after` (None: from the beginning).

        The second value is the place to go on from, or None when nothing is left.
        """
        if descending:
            end = len(self._rows) if after is None else bisect_left(self._seqs, after)
            walk = range(end - 1, -1, -1)
        else:
            walk = range(0 if after is None else bisect_right(self._seqs, after), len(self._rows))
        found: list[RowT] = []
        for place in walk:
            row = self._rows[place]
            if row.gone or (keep is not None and not keep(row)):
                continue
            if len(found) == size:
                return found, found[-1].seq
            found.append(row)
        return found, None


def page_size(asked: int | None) -> int:
    """Return the rows of a page: the default of 10, or what was asked, at most 100."""
    return PAGE_DEFAULT_ROWS if asked is None else min(asked, LIST_PAGE_MAX_ROWS)


def write_token(listing: str, place: int | None) -> str | None:
    """Return the opaque token for a place in a listing; None stays None.

    `listing` says which rows and which order: its digest is in the token, which is refused with other filters.
    """
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{_digest(listing)}.{place}".encode()).decode()


def read_token(listing: str, token: str | None, refusal: tuple[str, str] = _NOT_OURS) -> int | None:
    """Return the place that a token names, None without one.

    Raises ServiceError, with the code and the text of `refusal`, for a token that this listing did not give.
    """
    if not token:
        return None
    try:
        said, _, place = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(".")
    except (binascii.Error, ValueError):
        said = place = ""
    if said == _digest(listing) and place.isascii() and place.isdigit():
        return int(place)
    raise ServiceError(*refusal)


def slice_page(
    rows: Sequence[T], listing: str, token: str | None, size: int, refusal: tuple[str, str] = _NOT_OURS
) -> tuple[Sequence[T], str | None]:
    """Return a page of rows that are counted from the beginning, and the token of the next page."""
    start = read_token(listing, token, refusal) or 0
    end = start + size
    return rows[start:end], write_token(listing, end if end < len(rows) else None)


def show_page(member: str, rows: Sequence[Any], token: str | None) -> dict[str, Any]:
    """Return the answer of a listing: its rows, and the token of the next page where there is one."""
    return {member: rows} if token is None else {member: rows, "NextToken": token}


def _digest(listing: str) -> str:
    return hashlib.sha256(listing.encode()).hexdigest()[:16]
