"""What the service's own errors mean: an answer that was an error, or a FailureReason, to the class of `errors`.

The class is the disposition, so the table decides whether an app is retried, parked, adopted or given up.

Not here: what the client library raises when there was no answer (`adapters.aws_errors`), the table itself
(`service_error_table`), or the names and messages of quotas (`quota_text`, whose functions are given on from here).
"""

from __future__ import annotations

import re
from typing import Any, Final

from engine.core.errors import (
    NO_CAPACITY,
    CloudError,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    Throttled,
)
from engine.core.failure_reasons import kind_of_failure
from engine.core.limits import SERVICE_MESSAGE_READ_MAX_CHARS
from engine.core.quota_text import (
    bucket_of_quota,
    increase_command,
    is_quota_message,
    parse_quota_message,
    quota_hint,
    quota_name,
    without_advice,
)
from engine.core.service_error_table import ERROR_TABLE, NO_CAPACITY_HINT, ErrorRow
from engine.core.spoken import holds, spoken_words

__all__ = [
    "ERROR_TABLE",
    "ErrorRow",
    "bucket_of_quota",
    "error_from_service",
    "failure_from_reason",
    "find_row",
    "iam_action",
    "increase_command",
    "parse_quota_message",
    "quota_name",
]

_UNKNOWN_CLIENT_ERROR_HINT: Final = "appfleet does not know this error, so it is not tried again in this run"
_NOT_JSON_HINT: Final = "The answer is not the service's own: check --endpoint-url, the region and the proxy"
_UNKNOWN_SERVER_ERROR_HINT: Final = "The call may have been carried out; appfleet checks before it tries again"

# "not authorized to perform: sagemaker:AddTags on resource"; the action is the service's word, hence the strict form.
_ACTION: Final = re.compile(r"not authorized to perform:? ([a-z-]{2,32}:[A-Za-z]{2,64})\b")
_ACTION_PREFIXES: Final = {
    "GetCallerIdentity": "sts",
    "AssumeRole": "sts",
    "GetServiceQuota": "servicequotas",
    "ListServiceQuotas": "servicequotas",
    "GetResources": "tag",
    "GetProducts": "pricing",
    "ListInstances": "sso",
    "CreateApplicationAssignment": "sso",
    "GetUserId": "identitystore",
    "GetRole": "iam",
    "GetObject": "s3",
    "PutObject": "s3",
}
_ACTIONS: Final = {"ListObjectsV2": "s3:ListBucket"}  # where IAM has another word than the API
# Reports, groups and fallbacks know these two by one code, whichever the service gave.
_CODE_OF: Final[dict[type[CloudError], str]] = {NoCapacity: NO_CAPACITY, QuotaExceeded: "ResourceLimitExceeded"}
_STATUS_THROTTLED: Final = 429
_STATUS_TIMEOUT: Final = 408
_STATUS_SERVER: Final = 500
_STATUS_CLIENT: Final = 400


def iam_action(operation: str) -> str:
    """Return the IAM action of a call, such as `sagemaker:CreateApp`."""
    return _ACTIONS.get(operation) or f"{_ACTION_PREFIXES.get(operation, 'sagemaker')}:{operation}"


def _code_of(text: str) -> str:
    """Return the bare code of `com.amazonaws.sagemaker#ResourceInUse:http://…`."""
    return text.rsplit("#", 1)[-1].split(":", 1)[0].strip()


def find_row(operation: str, service_code: str, message: str) -> ErrorRow | None:
    """Return the first row of the table that fits, or None for a code or a case that it does not hold."""
    words = spoken_words(message)
    for row in ERROR_TABLE:
        if (
            service_code in row.codes
            and (not row.operations or operation in row.operations)
            and (not row.fragments or any(holds(words, fragment) for fragment in row.fragments))
            and not (row.silent and message.strip())
        ):
            return row
    return None


def _unlisted(service_code: str, status: int) -> tuple[type[CloudError], str]:
    """Return class and hint by the HTTP status alone."""
    if status == _STATUS_THROTTLED:
        return Throttled, ERROR_TABLE[0].hint
    if status >= _STATUS_SERVER or status == _STATUS_TIMEOUT or status < _STATUS_CLIENT:
        return OutcomeUnknown, _UNKNOWN_SERVER_ERROR_HINT
    if not service_code or service_code.isdigit():
        return Rejected, _NOT_JSON_HINT
    return Rejected, _UNKNOWN_CLIENT_ERROR_HINT


def _action(operation: str, message: str) -> str:
    """Return the IAM action that was refused: the message's own word, else the operation's."""
    found = _ACTION.search(message[:SERVICE_MESSAGE_READ_MAX_CHARS])
    return found[1] if found else iam_action(operation)


def error_from_service(
    *,
    operation: str,
    service_code: str,
    message: str,
    status: int = 400,
    request_id: str = "",
    retry_after_s: float | None = None,
) -> CloudError:
    """Return the error for an answer of the service that was one; never raises.

    `operation` is the API's name, `status` the HTTP status, `retry_after_s` what the service asked for, in seconds.
    A code that the table does not hold is Rejected, or OutcomeUnknown (Throttled) where the status is 5xx (429).
    """
    code = _code_of(service_code)
    row = find_row(operation, code, message)
    kind, hint = (row.kind, row.hint) if row else _unlisted(code, status)
    if kind in _KINDS_BY_WORDS and operation.startswith("Create"):
        kind, hint = _by_words(operation, message) or (kind, hint)
    said = message.strip().rstrip(".") or "without a message"
    text = f"{operation} failed with {code or status}: {said}"
    more: dict[str, Any] = {
        "service_code": _CODE_OF.get(kind, code or str(status)),
        "operation": operation,
        "request_id": request_id,
        "retry_after_s": retry_after_s,
    }
    if kind is QuotaExceeded:
        facts = parse_quota_message(message)
        text = without_advice(text) if facts.quota else text
        return QuotaExceeded(text, facts=facts, hint=quota_hint(facts), **more)
    return kind(text, hint=hint.format(operation=operation, action=_action(operation, message)), **more)


# Between the words stands what is missing, such as `ml.g5.xlarge` or `requested ML compute`; a disk is no machine.
_MACHINE: Final = r"(?:[a-z0-9.]+ ){0,4}?"
_CAPACITY_WORDS: Final = re.compile(
    r"insufficient(?:instance)?capacity"
    rf"|capacityerror|insufficient {_MACHINE}capacity|(?:do|does) not have (?:sufficient|enough) {_MACHINE}capacity"
    rf"|unable to provision {_MACHINE}capacity|not enough {_MACHINE}capacity"
    r"|temporarily unavailable in supported availability zones"
)
_OTHER_CAPACITY: Final = re.compile(r"(?:disk|storage|volume|memory|ebs|efs|address|addresses|subnet|network) capacity")
# A refusal that may be for want of machines or of quota, whatever its code: what is denied, throttled or may have been
# carried out is never that.
_KINDS_BY_WORDS: Final = frozenset({Rejected, NotFound, QuotaExceeded})


def _is_of_machines(words: str) -> bool:
    """Whether the service's own words say that it has no machine."""
    return _CAPACITY_WORDS.search(words) is not None and _OTHER_CAPACITY.search(words) is None


def _by_words(operation: str, message: str) -> tuple[type[CloudError], str] | None:
    """Return class and hint of a refused create whose message says more than its code, or None."""
    facts = parse_quota_message(message)
    if facts.used is not None or facts.app_type:  # a limit alone may be that of a name's length
        return QuotaExceeded, ""
    if operation == "CreateApp" and _is_of_machines(spoken_words(message)):
        return NoCapacity, NO_CAPACITY_HINT
    return None


def failure_from_reason(
    reason: str, *, own_image: bool = False, app: str = ""
) -> NoCapacity | QuotaExceeded | Rejected:
    """Return the error for the FailureReason of an app that was accepted and then ended Failed; never raises.

    Rejected has `service_code` InternalFailure where the service says that the fault was its own. `own_image` tells
    that the app runs a custom image: the service calls what is wrong with one a failure of its own, too. `app` is
    `OWNER/TYPE/NAME`, for the names of its logs.
    """
    words = spoken_words(reason)
    said = reason.strip().rstrip(".")
    if _is_of_machines(words):
        return NoCapacity(
            f"The app was accepted and then failed: {said}",
            hint=NO_CAPACITY_HINT,
            service_code=NO_CAPACITY,
            operation="CreateApp",
        )
    if is_quota_message(reason):
        facts = parse_quota_message(reason)
        return QuotaExceeded(
            f"The app was accepted and then failed: {without_advice(said) if facts.quota else said}",
            facts=facts,
            hint=quota_hint(facts),
            service_code="ResourceLimitExceeded",
            operation="CreateApp",
        )
    code, hint = kind_of_failure(reason, words, own_image=own_image, app=app)
    return Rejected(
        f"The app was accepted and then failed: {said or 'the service gave no reason'}",
        hint=hint,
        service_code=code,
        operation="CreateApp",
    )
