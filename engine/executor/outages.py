"""Endpoints that cannot be connected to: said at the first attempt, once for all domains that need them.

Many lanes share an endpoint, and each of them asks again by itself. Only the one that met it first tells of its
further attempts, until it is answered. Not here: how long a read is asked again (`asking`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.limits import DOMAINS_NAMED_MAX_COUNT
from engine.ports.events import CallRetried, EndpointUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.core.errors import Unreachable
    from engine.ports.events import Emit, Event


class Outages:
    """One for a run. `needed_by` names the domains that need what one domain needs."""

    def __init__(self, emit: Emit, needed_by: Callable[[str], Iterable[str]]) -> None:
        self._emit = emit
        self._needed_by = needed_by
        self._first: dict[str, str] = {}  # what was said of an endpoint, and the domain that met it first
        self._told: set[str] = set()

    def met(self, domain: str, error: Unreachable) -> None:
        """Note that a call for a domain was not sent, since nobody could be connected to."""
        self._first.setdefault(error.message, domain)

    def answered(self, domain: str) -> None:
        """Note that a call for a domain was answered: what it met first is over."""
        if self._first:
            over = {message for message, first in self._first.items() if first == domain}
            self._told -= over
            for message in over:
                del self._first[message]

    def tell(self, domain: str, event: Event) -> None:
        """Emit an event of a domain, but for a repeated attempt that others have told of."""
        if not isinstance(event, CallRetried) or event.message not in self._first:
            self._emit(event)
            return
        if event.message not in self._told:
            self._told.add(event.message)
            names = sorted({domain, *self._needed_by(domain)})
            self._emit(EndpointUnreachable(event.message, tuple(names[:DOMAINS_NAMED_MAX_COUNT]), len(names)))
        if self._first[event.message] == domain:
            self._emit(event)
