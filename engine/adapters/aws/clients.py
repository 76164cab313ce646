"""The SDK's clients of one run: one for each service, region and set of settings, whoever calls through it.

A client costs 20 ms of the processor and 2 MB, so a thousand roles share one. What shapes a client comes from the AWS
profile (proxies, certificates, endpoints, service models); only profiles that agree on all of it share. Who calls is no
part of a client: `signing` says so for each call.

Not here: which account is called (`logins`), the calls (`calls`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from botocore.exceptions import BotoCoreError

from engine.adapters.aws.client_maker import client_maker
from engine.adapters.aws.endpoints import ENDPOINT_HINT, check_endpoint
from engine.adapters.aws.transport import harden
from engine.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from aiobotocore.session import AioSession

V = TypeVar("V")

# What a profile says about credentials alone, and what the AWS CLI reads of it. Everything else may shape a client.
# The region is no part of it either: each client is made for one that is named.
_OF_CREDENTIALS: Final = frozenset(
    {
        "aws_access_key_id", "aws_account_id", "aws_secret_access_key", "aws_security_token", "aws_session_token",
        "credential_process", "credential_source", "duration_seconds", "external_id", "mfa_serial", "output", "region",
        "role_arn", "role_session_name", "source_profile", "sso_account_id", "sso_region", "sso_registration_scopes",
        "sso_role_name", "sso_session", "sso_start_url", "web_identity_token_file",
    }
)  # fmt: skip


class Once(Generic[V]):
    """Makes one thing for each key, however many ask for it at the same time. What failed is made anew."""

    def __init__(self) -> None:
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._made: dict[Hashable, V] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        """Return what `make` made for the key. Raises what it raises."""
        if key not in self._made:
            async with self._locks[key]:
                if key not in self._made:
                    self._made[key] = await make()
        return self._made[key]

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()


class Clients:
    """Opens clients, and closes them with `stack`."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._clients: Once[Any] = Once()

    async def open(self, session: AioSession, service: str, region: str) -> Any:
        """Return the client of a service in a region that is shaped as the session's profile has it.

        Raises UsageError for an endpoint that is not safe, and what the library raises.
        """
        key = (service, region, _shape(session.get_scoped_config()))
        return await self._clients.get(key, lambda: self._make(session, service, region))

    async def _make(self, session: AioSession, service: str, region: str) -> Any:
        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(client_maker(session)(service, region_name=region))
            except BotoCoreError:  # some of them are a ValueError too
                raise
            except ValueError as error:
                raise UsageError(f"The endpoint for {service} is not valid: {error}", hint=ENDPOINT_HINT) from None
            check_endpoint(service, client.meta.endpoint_url)
            harden(client)
            self._stack.push_async_exit(stack.pop_all())
        return client


def _shape(profile: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return everything of a profile that can shape a client, in an order of its own."""
    return tuple(sorted((name, repr(value)) for name, value in profile.items() if name not in _OF_CREDENTIALS))
