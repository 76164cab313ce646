"""What can go wrong between a caller and the world, as data: both faces act it out, each in its own way.

Not here: what the world itself refuses (quotas, request limits, rules of names).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from engine.core.service_errors import iam_action
from engine.simulator.world.values import NEVER, Count, Number, NumberOrNever

if TYPE_CHECKING:
    import random

CAPACITY: Final = "capacity"
LIFECYCLE: Final = "lifecycle"
INTERNAL: Final = "internal"
SILENT: Final = "silent"
STUCK: Final = "stuck"  # not a failure: the app stays Pending for ever


class FaultKind(StrEnum):
    """One kind of trouble. `before`: the world never saw the call. `after`: it did, and the answer was lost."""

    THROTTLE = "throttle"
    ERROR = "error"  # any code, message and status; before
    INTERNAL_ERROR = "internal-error"  # 500, before
    INTERNAL_ERROR_AFTER = "internal-error-after"  # 500, after
    UNAVAILABLE = "unavailable"  # 503, before
    REFUSED = "refused"  # no connection; over HTTP the same as reset-before
    UNTRUSTED = "untrusted"  # whoever answers cannot prove who it is; over HTTP the same as reset-before
    RESET_BEFORE = "reset-before"
    RESET_AFTER = "reset-after"
    STALL_AFTER = "stall-after"  # carried out, and no answer ever comes
    GARBAGE_AFTER = "garbage-after"  # 200 with a body that is not JSON
    EMPTY_AFTER = "empty-after"  # 200 with {}
    EXPIRED_CREDENTIALS = "expired-credentials"
    ACCESS_DENIED = "access-denied"
    DUPLICATE_ROWS = "duplicate-rows"  # a listing shows its last row twice
    MISSING_ROWS = "missing-rows"  # a listing leaves its last row out


ACTS_BEFORE: Final = frozenset(
    {
        FaultKind.THROTTLE,
        FaultKind.ERROR,
        FaultKind.INTERNAL_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.REFUSED,
        FaultKind.UNTRUSTED,
        FaultKind.RESET_BEFORE,
        FaultKind.EXPIRED_CREDENTIALS,
        FaultKind.ACCESS_DENIED,
    }
)
ROW_FAULTS: Final = frozenset({FaultKind.DUPLICATE_ROWS, FaultKind.MISSING_ROWS})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one call. `code`, `message` and `status` are for `error` alone."""

    kind: FaultKind
    code: str = ""
    message: str = ""
    status: Annotated[int, Field(ge=100, lt=600)] = 400

    def error_answer(self, operation: str) -> tuple[str, str, int]:
        """Return code, message and HTTP status where the fault is an answer, or an empty code where it is none."""
        if self.kind is FaultKind.ERROR:
            return self.code, self.message, self.status
        if self.kind is FaultKind.ACCESS_DENIED:
            who = "arn:aws:sts::000000000000:assumed-role/appfleet/simulated"
            text = (
                f"User: {who} is not authorized to perform: {iam_action(operation)} because no identity-based policy "
                f"allows the {iam_action(operation)} action"
            )
            return "AccessDeniedException", text, 400
        return _ANSWERS.get(self.kind, ("", "", 0))


_ANSWERS: Final = {
    FaultKind.THROTTLE: ("ThrottlingException", "Rate exceeded", 400),
    FaultKind.INTERNAL_ERROR: ("InternalFailure", "The request processing has failed.", 500),
    FaultKind.INTERNAL_ERROR_AFTER: ("InternalFailure", "The request processing has failed.", 500),
    FaultKind.UNAVAILABLE: ("ServiceUnavailable", "The service is unable to handle the request.", 503),
    FaultKind.EXPIRED_CREDENTIALS: (
        "ExpiredTokenException",
        "The security token included in the request is expired",
        400,
    ),
}


@dataclass(slots=True)
class FaultRule:
    """Calls of `operation` (a glob) meet the fault with `probability`, between two times, at most `max_count` times."""

    fault: Fault
    operation: str = "*"
    probability: Number = 1.0
    from_at: Number = 0.0
    until_at: NumberOrNever = NEVER
    max_count: Count | None = None
    count: Count = 0

    def draw(self, operation: str, now: float, rng: random.Random) -> Fault | None:
        """Return the fault for this call, or None."""
        if not self.from_at <= now < self.until_at or not fnmatchcase(operation, self.operation):
            return None
        if self.max_count is not None and self.count >= self.max_count:
            return None
        if self.probability < 1.0 and rng.random() >= self.probability:
            return None
        self.count += 1
        return self.fault


@dataclass(slots=True)
class FaultBook:
    """The rules in order; the first one that strikes decides."""

    rules: list[FaultRule] = field(default_factory=list)

    def draw(self, operation: str, now: float, rng: random.Random) -> Fault | None:
        """Return the fault for one call, or None."""
        for rule in self.rules:
            if (fault := rule.draw(operation, now, rng)) is not None:
                return fault
        return None


@dataclass(frozen=True, slots=True)
class FailureRule:
    """New apps that fit all globs end Failed with `probability`. `reason` is one of the words above, or a text."""

    reason: str = CAPACITY
    app_type: str = "*"
    instance_type: str = "*"
    owner: str = "*"
    lifecycle_config: str = "*"
    probability: Number = 1.0

    def fits(self, app_type: str, instance_type: str, owner: str, lifecycle_config: str) -> bool:
        """Whether the rule speaks of such an app."""
        return (
            fnmatchcase(app_type, self.app_type)
            and fnmatchcase(instance_type, self.instance_type)
            and fnmatchcase(owner, self.owner)
            and fnmatchcase(lifecycle_config, self.lifecycle_config)
        )

    def text(self, instance_type: str, region: str) -> str:
        """Return the FailureReason."""
        if self.reason == CAPACITY:
            return (
                f"EC2InsufficientCapacityError: Instance type '{instance_type}' is temporarily unavailable in "
                f"supported availability zones [{region}a, {region}b]. Try again in a few minutes, or try a different "
                "instance type."
            )
        if self.reason == LIFECYCLE:
            return "ConfigurationError: LifecycleConfig execution failed with exit code 1. See CloudWatch Logs."
        if self.reason == INTERNAL:
            return "InternalFailure"
        return "" if self.reason == SILENT else self.reason
