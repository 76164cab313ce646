"""One gate in front of a set of credentials: many callers, one refresh.

The library lets every caller try for itself: fifty workers make fifty attempts one after the other, and all of them
fail although the old credentials had minutes left. Here one caller refreshes, the others go on with what lasts, or
wait; and a failure is told to all of them once it is certain.

Not here: where credentials come from (`sessions`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from botocore import exceptions as aws

from engine.adapters.aws.credential_sources import check_keys
from engine.adapters.aws.errors import credentials_failure, translate
from engine.core.errors import CredentialsFailed, OutcomeUnknown, Throttled, TlsFailed, Unreachable
from engine.core.limits import (
    CREDENTIAL_ATTEMPT_MAX_SECONDS,
    CREDENTIAL_FAILURE_KEPT_SECONDS,
    CREDENTIAL_LAST_USE_SECONDS,
    CREDENTIAL_LOOK_EVERY_SECONDS,
    CREDENTIAL_REFRESH_MAX_SECONDS,
    CREDENTIAL_RETRY_PAUSE_SECONDS,
    ROLE_THROTTLED_MAX_SECONDS,
)
from engine.core.redact import Redactor

# What may pass by itself while old credentials run out. An answer such as "access denied" does not.
_PASSING: Final = (Unreachable, OutcomeUnknown, Throttled)
_PASSING_SOURCES: Final = (aws.MetadataRetrievalError, aws.TokenRetrievalError)


@dataclass(frozen=True, slots=True)
class GateTimes:
    """All in seconds. How long one attempt and all of them may take, and how often the expiry is looked at.

    `throttled_max` is how long a role is tried that STS throttles, `unreachable_kept` how long others are told that STS
    could not be reached.
    """

    attempt_max: float = CREDENTIAL_ATTEMPT_MAX_SECONDS
    refresh_max: float = CREDENTIAL_REFRESH_MAX_SECONDS
    retry_pause: float = CREDENTIAL_RETRY_PAUSE_SECONDS
    look_every: float = CREDENTIAL_LOOK_EVERY_SECONDS
    last_use: float = CREDENTIAL_LAST_USE_SECONDS
    failure_kept: float = CREDENTIAL_FAILURE_KEPT_SECONDS
    throttled_max: float = ROLE_THROTTLED_MAX_SECONDS
    unreachable_kept: float = CREDENTIAL_RETRY_PAUSE_SECONDS


_DEFAULT_TIMES: Final = GateTimes()


class CredentialGate:
    """What signs calls, whose calls ask it first. `redactor` learns every secret that passes.

    `whose` names the profile that they come from, where there is one.
    """

    def __init__(self, source: Any, redactor: Redactor, times: GateTimes = _DEFAULT_TIMES, whose: str = "") -> None:
        self._source = source
        self._whose = whose
        self._redactor = redactor
        self._times = times
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._frozen: Any = None
        self._look_at = 0.0
        self._failure: CredentialsFailed | TlsFailed | None = None
        self._failed_until = 0.0

    async def get_frozen_credentials(self) -> Any:
        """Return credentials that last. Raises CredentialsFailed, after a bounded time, where there are none."""
        if self._frozen is not None and (
            self._loop.time() < self._look_at or (self._lock.locked() and self._lasts(self._times.last_use))
        ):
            return self._frozen
        async with self._lock:
            now = self._loop.time()
            if self._frozen is not None and now < self._look_at:
                return self._frozen
            if self._failure is not None and now < self._failed_until:
                raise _again(self._failure)
            return await self._renew(now)

    def _lasts(self, seconds: float) -> bool:
        """Whether the credentials that are held can be used for so long; those that never expire always can."""
        needed = getattr(self._source, "refresh_needed", None)
        return self._frozen is not None and (needed is None or not needed(seconds))

    async def _renew(self, started: float) -> Any:
        """Ask the source, again and again while what is wrong may pass and old credentials were there once."""
        pause = self._times.retry_pause
        while True:
            try:
                async with asyncio.timeout(self._times.attempt_max):
                    frozen = await self._source.get_frozen_credentials()
                check_keys(frozen, getattr(self._source, "method", ""))
            except Exception as error:  # noqa: BLE001 sources run processes, read files and call services
                now = self._loop.time()
                if self._lasts(self._times.last_use):
                    self._look_at = now + self._times.look_every
                    return self._frozen
                if self._frozen is None or not _may_pass(error) or now + pause - started > self._times.refresh_max:
                    self._failure = credentials_failure(error, self._redactor, self._whose)
                    self._failed_until = now + self._times.failure_kept
                    raise _again(self._failure) from None
                await asyncio.sleep(pause)
                pause *= 2
            else:
                self._redactor.learn(value for value in (frozen.access_key, frozen.secret_key, frozen.token) if value)
                self._frozen = frozen
                self._failure = None
                self._look_at = self._loop.time() + self._times.look_every
                return frozen


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _PASSING_SOURCES) or isinstance(translate("AssumeRole", error), _PASSING)


def _again(failure: CredentialsFailed | TlsFailed) -> CredentialsFailed | TlsFailed:
    """Return the same error as a new object, since each caller adds its own traceback to the one it gets."""
    return type(failure)(
        failure.message,
        hint=failure.hint,
        service_code=failure.service_code,
        operation=failure.operation,
        request_id=failure.request_id,
    )
