"""Whose credentials sign a call: those that the call itself names, and nobody else's.

One client serves many accounts, so it holds no credentials. It asks here each time that it signs, in the task that
makes the call. A request that nobody has named credentials for is not signed and not sent.

Not here: where credentials come from (`logins`), when they are renewed (`credentials`).
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.core.errors import BugError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY: Final = "a call was made in no account's name, so it was not signed and not sent"


class CredentialSource(Protocol):
    """What signs requests; asked before each call as well, so that no call's time is spent on a refresh."""

    async def get_frozen_credentials(self) -> Any:
        """Return credentials that last, or raise CredentialsFailed."""
        ...


_SIGNER: Final[ContextVar[CredentialSource | None]] = ContextVar("signer", default=None)


@contextmanager
def signed_by(credentials: CredentialSource) -> Iterator[None]:
    """Sign each request of this task inside the block with these credentials."""
    token = _SIGNER.set(credentials)
    try:
        yield
    finally:
        _SIGNER.reset(token)


class CallersCredentials:
    """Stands where the library expects a client's credentials, and has none of its own."""

    method = "appfleet-caller"

    async def get_frozen_credentials(self) -> Any:
        """Return the credentials of the call that is under way. Raises BugError outside of one."""
        return await _signer().get_frozen_credentials()

    async def get_account_id(self) -> str | None:
        """Return the account, where the credentials name it; the library asks for endpoints that depend on it."""
        return getattr(await self.get_frozen_credentials(), "account_id", None)

    def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
        """Return what asks for a property later; the account is the only one that is asked for."""
        return getattr(self, f"get_{property_name}", self.get_account_id)


def _signer() -> CredentialSource:
    signer = _SIGNER.get()
    if signer is None:
        raise BugError(NOBODY)
    return signer
