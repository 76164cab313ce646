"""Assuming roles: many of them through one client of STS, so many at a time, each with its own source's credentials.

Not here: when a role is assumed again (`credentials`), which roles there are (`logins`).
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.credentials import AioDeferredRefreshableCredentials

from engine.adapters.aws.connection_errors import not_sent
from engine.adapters.aws.errors import translate
from engine.adapters.aws.signing import signed_by
from engine.core.errors import CredentialsFailed, Throttled, Unreachable
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT
from engine.ports.cloud import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.adapters.aws.credentials import GateTimes
    from engine.adapters.aws.signing import CredentialSource

ROLE_SESSION_NAME: Final = "appfleet"
OPERATION: Final = "AssumeRole"

_ASSUMED: Final = re.compile(r"arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/[\w+=,.@/-]{1,200}")
_JITTER: Final = (0.5, 1.0)
_ODD_HINT: Final = "Something answered in the place of STS: check the proxy, --endpoint-url and AWS_ENDPOINT_URL_STS"


class RoleDesk:
    """One client of STS, for all who assume roles through it.

    Where nobody listens, those who come within a moment get the same error: a thousand roles cost one time-out.
    """

    def __init__(self, sts: Any, times: GateTimes) -> None:
        self._sts = sts
        self._times = times
        self._places = asyncio.Semaphore(CONNECT_PARALLEL_MAX_COUNT)
        self._failed: Exception | None = None
        self._failed_until = 0.0

    async def assume(self, source: CredentialSource, asked: dict[str, str]) -> dict[str, Any]:
        """Return STS's answer to the parameters `asked`. Raises what the library raises.

        A call that is throttled is made again, and holds its place meanwhile: so all together slow down.
        """
        clock = asyncio.get_running_loop().time
        async with self._places:
            pause, until = self._times.retry_pause, clock() + self._times.throttled_max
            while True:
                try:
                    return await self._call(source, asked)
                except Exception as error:
                    if not isinstance(translate(OPERATION, error), Throttled) or clock() + pause > until:
                        raise
                    await asyncio.sleep(pause * random.uniform(*_JITTER))
                    pause *= 2

    async def _call(self, source: CredentialSource, asked: dict[str, str]) -> dict[str, Any]:
        with self._as_reachable(), signed_by(source):
            answer: dict[str, Any] = await self._sts.assume_role(**asked)
        return answer

    @contextmanager
    def _as_reachable(self) -> Iterator[None]:
        clock = asyncio.get_running_loop().time
        if self._failed is not None and clock() < self._failed_until:
            raise self._failed.with_traceback(None)
        try:
            yield
        except Exception as error:
            if isinstance(not_sent(OPERATION, error), Unreachable):
                self._failed, self._failed_until = error, clock() + self._times.unreachable_kept
            raise


class Role:
    """One role of the fleet file, assumed when it is first needed and before its credentials expire.

    `external_id` is sent where the fleet file has one; no other call needs it.
    """

    def __init__(self, desk: RoleDesk, source: CredentialSource, arn: str, external_id: str | None = None) -> None:
        self._desk = desk
        self._source = source
        self._arn = arn
        self._asked = {"RoleArn": arn, "RoleSessionName": ROLE_SESSION_NAME}
        if external_id is not None:
            self._asked["ExternalId"] = external_id
        self.caller: Caller | None = None  # as the last answer names it

    def credentials(self) -> Any:
        """Return the role's credentials as the library keeps them."""
        return AioDeferredRefreshableCredentials(refresh_using=self._assume, method="assume-role")

    async def _assume(self) -> dict[str, Any]:
        answer = await self._desk.assume(self._source, self._asked)
        try:
            given = answer["Credentials"]
            keys = {name: given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
            expires = given["Expiration"]
        except (KeyError, TypeError):
            raise self._odd("it has no credentials") from None
        if not all(isinstance(key, str) and key for key in keys.values()) or not isinstance(expires, datetime):
            raise self._odd("its credentials are not in the form that STS gives them")
        self.caller = _caller(answer)
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": expires.isoformat(),
            "account_id": None if self.caller is None else self.caller.account,
        }

    def _odd(self, why: str) -> CredentialsFailed:
        return CredentialsFailed(
            f"Could not get AWS credentials: the answer of {OPERATION} for {self._arn} cannot be used: {why}",
            hint=_ODD_HINT,
            operation=OPERATION,
            service_code="UnusableAnswer",
        )


def _caller(answer: dict[str, Any]) -> Caller | None:
    """Return who the answer says its credentials are of, or None where it does not say: that is asked for then."""
    user = answer.get("AssumedRoleUser")
    arn = user.get("Arn") if isinstance(user, dict) else None
    found = _ASSUMED.fullmatch(arn) if isinstance(arn, str) else None
    return None if found is None else Caller(found[1], found[0])
