"""What the AWS client libraries raise, turned into our own tree: one wrapper for every exception there is.

What was answered goes through the table in `core.service_errors`. For the rest one question decides: can the request
have left this machine? Only where it certainly has not is an error Unreachable; anything that is not known is
OutcomeUnknown, so that a create is looked up before it is sent again.

The text of a foreign exception is shown only where it is known what it says. It is redacted and cleaned all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from botocore import exceptions as aws

from engine.adapters.aws.connection_errors import not_sent
from engine.adapters.aws.transport import AnswerTooLargeError, UnreadableAnswerError, UnsafeEndpointError
from engine.core.errors import (
    AccessDenied,
    CloudError,
    CredentialsFailed,
    OutcomeUnknown,
    Rejected,
    ServiceModelError,
    TlsFailed,
)
from engine.core.limits import RETRY_AFTER_MAX_SECONDS, SHOWN_TEXT_MAX_CHARS
from engine.core.redact import Redactor
from engine.core.service_errors import error_from_service

_CREDENTIAL_OPERATIONS: Final = frozenset(
    {"AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken", "GetSessionToken"}
)
_CREDENTIAL_ERRORS: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.NoAuthTokenError,
    aws.SSOError,
    aws.RefreshWithMFAUnsupportedError,
    aws.MetadataRetrievalError,
    aws.UnknownCredentialError,
    aws.ProfileNotFound,
    aws.ConfigNotFound,
    aws.ConfigParseError,
    aws.InvalidConfigError,
)
# Refused on this machine, before a request was made.
_LOCAL_REFUSALS: Final = (
    aws.ParamValidationError,
    aws.ValidationError,
    aws.MissingParametersError,
    aws.BaseEndpointResolverError,
    aws.EndpointProviderError,
    aws.InvalidProxiesConfigError,
    UnsafeEndpointError,
    ServiceModelError,
)

_CREDENTIALS_HINT: Final = (
    "Try `aws sts get-caller-identity` with the same profile; for SSO, run aws sso login first; "
    "in cron, set AWS_PROFILE or the domain's `profile`"
)
_SSO_HINT: Final = "Run aws sso login with the same profile (--profile NAME), then run this again"
_FILE_HINT: Final = "Nothing was sent. Check the AWS variable or the profile that names this file"
_LOOKED_UP: Final = "appfleet looks it up before it tries again"
_READ_HINT: Final = "Check the network and the proxy, then run again"
_UNREADABLE_HINT: Final = (
    "Something between here and AWS answered in its place, or the answer was cut: check the proxy and --endpoint-url"
)
_READS: Final = ("Get", "List", "Describe")


def translate(operation: str, error: Exception, redactor: Redactor | None = None) -> CloudError:
    """Return the error of our tree for whatever a call raised; never raises.

    `operation` is the API's name; `redactor` knows the secrets in use, which a hostile answer may repeat.
    """
    redact = redactor or Redactor()
    if isinstance(error, CloudError):
        return error
    if isinstance(error, aws.ClientError):
        return _answered(operation, error, redact)
    name = type(error).__name__
    if isinstance(error, _CREDENTIAL_ERRORS):
        return CredentialsFailed(
            _line(redact, f"Could not get AWS credentials for {operation}: {error}").rstrip("."),
            hint=_CREDENTIALS_HINT,
            service_code=name,
            operation=operation,
        )
    if isinstance(error, _LOCAL_REFUSALS):
        return Rejected(
            _line(redact, f"Cannot send {operation}: {error}").rstrip("."),
            hint="Correct what the message names; the same request is refused again",
            service_code=name,
            operation=operation,
        )
    if (kept := not_sent(operation, error)) is not None:
        return kept
    return _unknown(operation, error, name)


def credentials_failure(
    error: Exception, redactor: Redactor | None = None, whose: str = ""
) -> CredentialsFailed | TlsFailed:
    """Return the error for credentials that appfleet could not get, whatever was raised on the way to them.

    `whose` names the profile, where there is one.
    """
    if isinstance(error, CredentialsFailed | TlsFailed):
        return error
    name = type(error).__name__
    said = f"Could not get AWS credentials{whose and f' ({whose})'}"
    if isinstance(error, aws.ClientError):
        cause = translate(error.operation_name, error, redactor)
        return CredentialsFailed(
            f"{said}: {cause.message}",
            hint=cause.hint,
            service_code=cause.service_code,
            operation=error.operation_name,
            request_id=cause.request_id,
        )
    if (kept := not_sent("AssumeRole", error)) is not None:
        if isinstance(kept, CredentialsFailed | TlsFailed):
            return kept
        return CredentialsFailed(
            f"{kept.message} to get AWS credentials{whose and f' ({whose})'}",
            hint=kept.hint,
            service_code=kept.service_code,
            operation="AssumeRole",
        )
    why, hint = _local_trouble(error, redactor or Redactor())
    return CredentialsFailed(f"{said}: {why}", hint=hint, service_code=name, operation="AssumeRole")


def _local_trouble(error: Exception, redact: Redactor) -> tuple[str, str]:
    """Return what went wrong on the way to credentials, and what to do; the words of strangers are left out."""
    if isinstance(error, TimeoutError):
        return "no answer in time", _CREDENTIALS_HINT
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return f"the connection broke: {_cause_of(error)}", _CREDENTIALS_HINT
    if isinstance(error, OSError) and error.filename:
        return _line(redact, f"{error.filename}: {error.strerror}"), _FILE_HINT
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.NoAuthTokenError):
        return _line(redact, str(error)).rstrip("."), _SSO_HINT
    if isinstance(error, aws.BotoCoreError):
        return _line(redact, str(error)).rstrip("."), _CREDENTIALS_HINT
    return f"the AWS configuration of this machine cannot be used ({type(error).__name__})", _CREDENTIALS_HINT


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read how long the service asks to wait, from headers with lower-case names; None where it does not say.

    `x-amz-retry-after` is in milliseconds and wins; `retry-after` is read as seconds, its date form is not. Both are
    bounded by RETRY_AFTER_MAX_SECONDS.
    """
    for header, unit in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[header]) * unit
        except (KeyError, ValueError, TypeError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return min(seconds, RETRY_AFTER_MAX_SECONDS)
    return None


def _answered(operation: str, error: aws.ClientError, redact: Redactor) -> CloudError:
    """Read an error that the service, or whoever answered in its place, sent."""
    response: Any = error.response
    details = _dict(response.get("Error"))
    metadata = _dict(response.get("ResponseMetadata"))
    status = metadata.get("HTTPStatusCode")
    told = error_from_service(
        operation=operation,
        service_code=_line(redact, details.get("Code")),
        message=_line(redact, details.get("Message")),
        status=status if isinstance(status, int) else 0,
        request_id=_line(redact, metadata.get("RequestId")),
        retry_after_s=retry_after_seconds(_dict(metadata.get("HTTPHeaders"))),
    )
    asked: str = error.operation_name
    if asked != operation and asked in _CREDENTIAL_OPERATIONS:
        return CredentialsFailed(
            f"Could not get AWS credentials for {operation}: {asked} failed: {told.message}",
            hint=told.hint if isinstance(told, AccessDenied) else _CREDENTIALS_HINT,
            service_code=told.service_code,
            operation=operation,
            request_id=told.request_id,
        )
    return told


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(redact: Redactor, value: Any) -> str:
    """Return a text from outside without secrets; what is no text says nothing.

    Cut only after it was redacted: a cut secret would no longer be known for one.
    """
    return redact.text(value)[: 4 * SHOWN_TEXT_MAX_CHARS] if isinstance(value, str) else ""


def _cause_of(error: aws.BotoCoreError) -> str:
    """Name what lies under an error of the transport, with the system's words where it has some."""
    cause = error.kwargs.get("error")
    words = getattr(cause, "strerror", None)
    return f"{type(cause).__name__} ({words})" if isinstance(words, str) and words else type(cause).__name__


def _unknown(operation: str, error: Exception, name: str) -> OutcomeUnknown:
    """Return the error for all that may have happened after the request left."""
    cause = error.kwargs.get("error") if isinstance(error, aws.BotoCoreError) else None
    if isinstance(error, UnreadableAnswerError):
        what, unreadable = str(error), True
    elif isinstance(cause, AnswerTooLargeError):
        what, unreadable = str(cause), True
    elif isinstance(error, TimeoutError | aws.ReadTimeoutError):
        what, unreadable = "no answer in time", False
    elif isinstance(error, aws.BotoCoreError) and cause is not None:
        what, unreadable = f"the connection broke: {_cause_of(error)}", False
    else:
        what, unreadable = f"the answer could not be read: {name}", True
    more: dict[str, Any] = {"service_code": name, "operation": operation, "unreadable": unreadable}
    if operation.startswith(_READS):
        return OutcomeUnknown(
            f"{operation} failed: {what}", hint=_UNREADABLE_HINT if unreadable else _READ_HINT, **more
        )
    hint = f"{_UNREADABLE_HINT}; {_LOOKED_UP}" if unreadable else _LOOKED_UP
    return OutcomeUnknown(f"{operation} may or may not have been carried out: {what}", hint=hint, **more)
