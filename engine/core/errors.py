"""Every error that appfleet raises on purpose.

    AppfleetError
    ├── UsageError            AF101  wrong flags or arguments                                   exit 64
    │   └── ServiceModelError AF103  a service model's file that cannot be used
    ├── ConfigError           AF102  a fleet file that is not valid, as a list of diagnostics   exit 64
    ├── PolicyError           AF201  a policy file that is not valid, as a list of diagnostics  exit 64
    ├── DeniedError           AF301  a mandatory rule or a guardrail said no                    exit 4
    ├── StalePlanError        AF302  a saved plan that no longer fits                           exit 1
    ├── NotConfirmedError     AF303  the answer to the question was not yes                     exit 1
    ├── CloudError            AF4xx  what a call came to; the class is the disposition
    │   ├── Throttled         AF401  too many calls a second: the lane slows
    │   ├── QuotaExceeded     AF402  a quota is full: its gate parks
    │   ├── InUse             AF403  the name is taken: settled by looking
    │   ├── StorageNotReady   AF404  the space's volume is not attached yet: tried again
    │   ├── AlreadyGone       AF405  a delete of what is gone: done
    │   ├── NotFound          AF406  a domain, profile or space that does not exist
    │   ├── AccessDenied      AF407  the caller may not do this
    │   ├── Rejected          AF408  the request is not valid, or an error that we do not know
    │   ├── CredentialsFailed AF409  expired, missing or refused credentials: the lane stops
    │   ├── Unreachable       AF410  nothing was sent: safe to try again
    │   ├── OutcomeUnknown    AF411  it may have been carried out: observed before it is tried again
    │   ├── ScanIncomplete    AF412  a listing that could not be completed: never read as "no apps"
    │   ├── NoCapacity        AF413  no machine of that type: fallback or later
    │   ├── TlsFailed         AF414  a server that cannot prove who it is: the lane stops
    │   └── Occupied          AF415  a space is not changed while an app runs in it, or so soon: a later run does it
    ├── LockHeldError         AF501  another run works on this fleet                            exit 5
    │   └── LaneHeldError     AF506  another run works in an account and region
    ├── StateError            AF502  the state folder or store cannot be used safely            exit 1
    ├── WrongAccountError     AF503  the caller is in another account than the fleet says       exit 1
    ├── LockLostError         AF504  the lock was removed or replaced while the run worked      exit 1
    ├── ShortageError         AF505  too few open files, threads or bytes for this process      exit 1
    ├── WorkersError          AF507  workers that cannot be used, or were lost                  exit 1
    └── BugError              AF901  appfleet contradicted itself                               exit 70

`str(error)` is safe for a terminal: one line, what and then the hint. `docs/errors.md` is generated from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from engine.core.diagnostics import Diagnostic
from engine.core.text import clean, count_of


class ExitCode(IntEnum):
    """What the process tells the shell. Where several hold: 130 over 1 over 4 over 3 over 0."""

    OK = 0
    FAILED = 1
    CHANGES = 2
    INCOMPLETE = 3
    DENIED = 4
    LOCKED = 5
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


class AppfleetError(Exception):
    """The base of all of them: a stable code, what happened, and what to do about it."""

    code: ClassVar[str] = "AF000"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init_subclass__(cls, code: str = "", exit_code: ExitCode | None = None) -> None:
        """Take both from the head of the class."""
        cls.code, cls.exit_code = code or cls.code, exit_code or cls.exit_code

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = clean(message)
        self.hint = clean(hint)

    @property
    def told_code(self) -> str:
        """The code under which results and logs name the error: the service's own where there is one, else ours."""
        return self.code

    def __str__(self) -> str:
        """Return what happened and the hint on one line."""
        stop = "" if self.message.endswith("?") else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class UsageError(AppfleetError, code="AF101", exit_code=ExitCode.USAGE):
    """Wrong flags or arguments."""


class ConfigError(AppfleetError, code="AF102", exit_code=ExitCode.USAGE):
    """A fleet file that is not valid. `diagnostics` holds every problem, in order."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(f"{count_of(len(diagnostics), 'problem')} found; nothing was called")
        self.diagnostics = diagnostics


class ServiceModelError(UsageError, code="AF103"):
    """A service model of botocore's form, under AWS_DATA_PATH or in ~/.aws/models, that cannot be used."""


class PolicyError(ConfigError, code="AF201"):
    """A policy file that is not valid."""


class DeniedError(AppfleetError, code="AF301", exit_code=ExitCode.DENIED):
    """A mandatory rule or a guardrail refused the plan."""


class StalePlanError(AppfleetError, code="AF302"):
    """A saved plan that was made from other files, by another version, or before something changed."""


class NotConfirmedError(AppfleetError, code="AF303"):
    """The answer to the question before a run was not yes; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("Not applied: the answer was not yes", hint="Run it again and answer yes, or use --yes")


class CloudError(AppfleetError, code="AF400"):
    """What a call to the service came to, when it was not an answer.

    `service_code` is the service's own code or the transport's exception name; `operation` is the API's name.
    `retry_after_s` is what the service asked for, in seconds. `ends_lane` says that no other call of the lane
    can succeed either, so that none is made.
    """

    ends_lane: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        service_code: str = "",
        operation: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.service_code = clean(service_code, 80)
        self.operation = operation
        self.request_id = clean(request_id, 80)
        self.retry_after_s = retry_after_s

    @property
    def told_code(self) -> str:
        """The service's code where there is one, else ours."""
        return self.service_code or self.code


class Throttled(CloudError, code="AF401"):
    """ThrottlingException: too many calls per second."""


@dataclass(frozen=True, slots=True)
class QuotaFacts:
    """What a ResourceLimitExceeded message tells. None or empty where it does not.

    `quota` is the quota's name as Service Quotas writes it. `user_profile`, `app_type` and `instance_type` are set
    where the limit is one of a single user profile, and `training_plan`, a name, where it is what a plan has reserved.
    """

    quota: str = ""
    value: int | None = None
    used: int | None = None
    requested: int | None = None
    user_profile: str = ""
    app_type: str = ""
    instance_type: str = ""
    training_plan: str = ""

    @property
    def never_fits(self) -> bool:
        """Whether waiting cannot help: the limit itself is below what one request takes."""
        return self.value is not None and self.value < (self.requested or 1)


class QuotaExceeded(CloudError, code="AF402"):
    """ResourceLimitExceeded: a quota is full."""

    def __init__(self, message: str, *, facts: QuotaFacts, **more: object) -> None:
        super().__init__(message, **more)  # type: ignore[arg-type]
        self.facts = facts

    def with_hint(self, hint: str) -> QuotaExceeded:
        """Return this error with another hint: how much to ask for is known only when it is known what waits."""
        return QuotaExceeded(
            self.message,
            facts=self.facts,
            hint=hint,
            service_code=self.service_code,
            operation=self.operation,
            request_id=self.request_id,
            retry_after_s=self.retry_after_s,
        )


class InUse(CloudError, code="AF403"):
    """ResourceInUse: something of that name exists, in whatever state."""


class StorageNotReady(CloudError, code="AF404"):
    """ResourceInUse of a space whose volume is not attached yet."""


class AlreadyGone(CloudError, code="AF405"):
    """A delete of an app that is already deleted, as intended."""


class NotFound(CloudError, code="AF406"):
    """The domain, profile or space that a call names does not exist."""


class AccessDenied(CloudError, code="AF407"):
    """The caller's policy does not allow the call."""


class Rejected(CloudError, code="AF408"):
    """The service refused the request permanently, or with a code that appfleet does not know."""


class Occupied(Rejected, code="AF415"):
    """A profile or space is not updated now: something runs in it, or its volume grew within the last six hours."""


class CredentialsFailed(CloudError, code="AF409"):
    """Credentials that are missing, expired or refused, or a clock that is wrong: no call can succeed."""

    ends_lane = True


class Unreachable(CloudError, code="AF410"):
    """The connection was never made, so nothing was sent.

    `nobody_listens` says that asking again at once changes nothing: the connection was refused, or there is no such
    host.
    """

    def __init__(self, message: str, *, nobody_listens: bool = False, **more: object) -> None:
        super().__init__(message, **more)  # type: ignore[arg-type]
        self.nobody_listens = nobody_listens


class OutcomeUnknown(CloudError, code="AF411"):
    """A reset, a timeout, a 5xx or an unreadable answer after the request was sent: a write may have happened.

    `unreadable` says that an answer arrived and was not one of this call: whoever sent it will send it again.
    """

    def __init__(self, message: str, *, unreadable: bool = False, **more: object) -> None:
        super().__init__(message, **more)  # type: ignore[arg-type]
        self.unreadable = unreadable


class ScanIncomplete(CloudError, code="AF412"):
    """A listing that did not reach its end. Its rows are not used."""


NO_CAPACITY = "EC2InsufficientCapacityError"  # the service's code for it


class NoCapacity(CloudError, code="AF413"):
    """The service had no capacity for the app: it refused the app, or accepted it and the app then failed."""


class TlsFailed(CloudError, code="AF414"):
    """A server, or a proxy, whose certificate cannot be verified: nothing was sent, and trying again cannot help."""

    ends_lane = True


class LockHeldError(AppfleetError, code="AF501", exit_code=ExitCode.LOCKED):
    """Another run holds this fleet's lock."""


class LaneHeldError(LockHeldError, code="AF506"):
    """Another run holds the lease of an account and region, so nothing is called there."""


class StateError(AppfleetError, code="AF502"):
    """The state folder or store, or a file or object in it, cannot be used safely."""


class WrongAccountError(AppfleetError, code="AF503"):
    """The caller's account is not the one that the fleet names for a domain; only that domain is left alone."""


class LockLostError(AppfleetError, code="AF504"):
    """The lock file or the state folder was removed or replaced while the run held it, so the run stopped."""


class ShortageError(AppfleetError, code="AF505"):
    """The system lets this process have too few open files, threads or bytes."""


class WorkersError(AppfleetError, code="AF507"):
    """The workers of `--workers` or `--scheduler` cannot be used, or one was lost while a shard was planned."""


class BugError(AppfleetError, code="AF901", exit_code=ExitCode.BUG):
    """Something happened that cannot happen: a bug in appfleet."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"this is a bug in appfleet: {message}",
            hint="Please report it with the log of this run; the result shows what was done",
        )


def all_error_classes() -> Iterator[type[AppfleetError]]:
    """Yield every class of the tree, the base first, in the order in which they are defined."""
    pending: list[type[AppfleetError]] = [AppfleetError]
    while pending:
        current = pending.pop(0)
        yield current
        pending.extend(current.__subclasses__())
