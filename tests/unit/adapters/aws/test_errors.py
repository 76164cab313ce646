"""Whatever the client library raises has one class of ours, and only what was certainly not sent is unreachable."""

from __future__ import annotations

import socket
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore import exceptions as aws
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.aws.errors import credentials_failure, retry_after_seconds, translate
from engine.adapters.aws.transport import AnswerTooLargeError, UnreadableAnswerError, UnsafeEndpointError
from engine.core.errors import (
    AccessDenied,
    BugError,
    CloudError,
    CredentialsFailed,
    InUse,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unreachable,
)
from engine.core.redact import Redactor
from engine.core.text import is_safe

URL = "https://api.sagemaker.eu-west-1.amazonaws.com"
KEY = ConnectionKey("h", 443, True, True, None, None, None)
REFUSED = aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused"))
NO_NAME = aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known"))
RESET = aiohttp.ClientOSError(104, "Connection reset by peer")


def answered(code: Any, message: Any = "", operation: str = "CreateApp", **metadata: Any) -> aws.ClientError:
    details = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400, **metadata}}
    return aws.ClientError(details, operation)


CASES: dict[str, tuple[Exception, type[CloudError], str]] = {
    "refused": (aws.EndpointConnectionError(endpoint_url=URL, error=REFUSED), Unreachable, "connection refused"),
    "no such name": (aws.EndpointConnectionError(endpoint_url=URL, error=NO_NAME), Unreachable, "host name not found"),
    "no such name, raw": (
        aws.EndpointConnectionError(endpoint_url=URL, error=socket.gaierror()),
        Unreachable,
        "host name not found",
    ),
    "reset after sending": (
        aws.EndpointConnectionError(endpoint_url=URL, error=RESET),
        OutcomeUnknown,
        "reset by peer",
    ),
    "no cause": (aws.EndpointConnectionError(endpoint_url=URL), OutcomeUnknown, "EndpointConnectionError"),
    "connect time-out": (aws.ConnectTimeoutError(endpoint_url=URL, error=None), Unreachable, "no answer in time"),
    "read time-out": (aws.ReadTimeoutError(endpoint_url=URL, error=None), OutcomeUnknown, "no answer in time"),
    "total time-out": (TimeoutError(), OutcomeUnknown, "no answer in time"),
    "certificate": (aws.SSLError(endpoint_url=URL, error=ValueError("x")), Unreachable, "connect securely"),
    "proxy": (aws.ProxyConnectionError(proxy_url="http://p", error=None), Unreachable, "proxy"),
    "closed": (
        aws.ConnectionClosedError(endpoint_url=URL, error=aiohttp.ServerDisconnectedError(), request=None),
        OutcomeUnknown,
        "ServerDisconnectedError",
    ),
    "too large": (
        aws.ConnectionClosedError(endpoint_url=URL, error=AnswerTooLargeError("too large"), request=None),
        OutcomeUnknown,
        "too large",
    ),
    "other transport": (
        aws.HTTPClientError(error=UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")),
        OutcomeUnknown,
        "Uni",
    ),
    "after the end": (aws.HTTPClientError(error=BugError("closed client")), Unreachable, "closed client"),
    "unreadable": (UnreadableAnswerError("the answer is not JSON"), OutcomeUnknown, "the answer is not JSON"),
    "decode": (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), OutcomeUnknown, "UnicodeDecodeError"),
    "value": (ValueError("secret words"), OutcomeUnknown, "ValueError"),
    "recursion": (RecursionError(), OutcomeUnknown, "RecursionError"),
    "memory": (MemoryError(), OutcomeUnknown, "MemoryError"),
    "attribute": (AttributeError("x"), OutcomeUnknown, "AttributeError"),
    "no credentials": (aws.NoCredentialsError(), CredentialsFailed, "Unable to locate"),
    "partial": (
        aws.PartialCredentialsError(provider="p", cred_var="v"),
        CredentialsFailed,
        "Could not get AWS credentials for CreateApp: ",
    ),
    "sso": (aws.UnauthorizedSSOTokenError(), CredentialsFailed, "Could not get AWS credentials for CreateApp: "),
    "refresh": (
        aws.CredentialRetrievalError(provider="p", error_msg="e"),
        CredentialsFailed,
        "Could not get AWS credentials for CreateApp: ",
    ),
    "parameters": (aws.ParamValidationError(report="Invalid length"), Rejected, "Cannot send CreateApp: "),
    "region": (aws.NoRegionError(), Rejected, "region"),
    "plain http": (UnsafeEndpointError(host="h"), Rejected, "plain http to h"),
    "throttled": (answered("ThrottlingException", "Rate exceeded"), Throttled, "Rate exceeded"),
    "in use": (answered("ResourceInUse", "x"), InUse, "x"),
    "role refused in a call": (answered("AccessDenied", "no", "AssumeRole"), CredentialsFailed, "AssumeRole failed"),
    "denied": (answered("AccessDenied", "no"), AccessDenied, "no"),
    "strange answer": (answered(5, ["x"], HTTPStatusCode="400", HTTPHeaders=[]), OutcomeUnknown, "without a message"),
}


@pytest.mark.parametrize(("raised", "kind", "words"), CASES.values(), ids=CASES.keys())
def test_what_is_raised_has_one_class(raised: Exception, kind: type[CloudError], words: str) -> None:
    error = translate("CreateApp", raised)
    assert type(error) is kind
    assert words in error.message
    assert error.hint
    assert error.operation == "CreateApp"
    assert error.service_code


def test_every_exception_of_the_library_is_translated() -> None:
    """None is left that the library may raise and that would stop a run."""
    names = [name for name in dir(aws) if isinstance(getattr(aws, name), type)]
    raised = [getattr(aws, name) for name in names if issubclass(getattr(aws, name), aws.BotoCoreError)]
    assert len(raised) > 60
    for kind in raised:
        instance = Mock(spec=kind, kwargs={})
        instance.__class__ = kind
        assert isinstance(translate("CreateApp", instance), CloudError)


def test_our_own_errors_pass_as_they_are() -> None:
    own = InUse("taken")
    assert translate("CreateApp", own) is own
    failed = CredentialsFailed("gone")
    assert credentials_failure(failed) is failed


def test_an_answer_without_its_parts_is_read_all_the_same() -> None:
    error = translate("CreateApp", aws.ClientError({}, "CreateApp"))
    assert type(error) is OutcomeUnknown


def test_words_of_a_stranger_are_not_shown() -> None:
    assert "secret words" not in str(translate("CreateApp", ValueError("secret words")))


@pytest.mark.parametrize("raised", [UnreadableAnswerError("no list Apps"), TimeoutError(), ValueError()])
def test_what_a_read_came_to_is_not_told_as_a_change_that_may_have_been_made(raised: Exception) -> None:
    read, write = translate("ListApps", raised), translate("CreateApp", raised)
    assert read.message.startswith("ListApps failed: ")
    assert "looks it up" not in read.hint
    assert write.message.startswith("CreateApp may or may not have been carried out: ")
    assert write.hint.endswith("appfleet looks it up before it tries again")


def test_an_answer_of_somebody_else_is_told_apart_from_none() -> None:
    unreadable, silent = translate("ListApps", UnreadableAnswerError("no JSON")), translate("ListApps", TimeoutError())
    assert isinstance(unreadable, OutcomeUnknown)
    assert isinstance(silent, OutcomeUnknown)
    assert (unreadable.unreadable, silent.unreadable) == (True, False)
    assert "answered in its place" in unreadable.hint


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (
            "https://127.0.0.1:8080",
            "If the server there speaks plain http, use http://127.0.0.1:8080. Otherwise: Check",
        ),
        (
            "https://localhost:8080/x",
            "If the server there speaks plain http, use http://localhost:8080. Otherwise: Check",
        ),
        (URL, "Check --endpoint-url"),
    ],
)
def test_a_handshake_on_this_machine_that_nobody_answers_may_want_plain_http(endpoint: str, said: str) -> None:
    raised = aws.ConnectTimeoutError(endpoint_url=endpoint, error=None)
    assert translate("ListApps", raised).hint.startswith(said)


def test_secrets_in_an_answer_are_redacted_and_a_long_one_is_cut() -> None:
    redactor = Redactor(["token-token-token"])
    raised = answered("X", "y" * 3_995 + "token-token-token and AKIAABCDEFGHIJKLMNOP", RequestId="token-token-token")
    error = translate("CreateApp", raised, redactor)
    assert "token" not in str(error)
    assert error.request_id == "[redacted]"
    short = translate("CreateApp", answered("X", "AKIAABCDEFGHIJKLMNOP"))
    assert "AKIA" not in str(short)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "1500", "retry-after": "9"}, 1.5),
        ({"x-amz-retry-after": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, 300.0),
    ],
)
def test_how_long_to_wait_is_read_and_bounded(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_credentials_fail_with_the_reason_that_there_was() -> None:
    denied = credentials_failure(answered("AccessDenied", "no", "AssumeRole", RequestId="r-1"))
    assert "sts:AssumeRole" in denied.hint
    assert denied.request_id == "r-1"
    missing = credentials_failure(aws.ProfileNotFound(profile="x"))
    assert missing.message == "Could not get AWS credentials: The config profile (x) could not be found"
    assert "no answer in time" in credentials_failure(TimeoutError()).message


@given(
    st.sampled_from(["ThrottlingException", "ResourceInUse"]) | st.text() | st.none() | st.integers(),
    st.text() | st.none(),
    st.dictionaries(
        st.sampled_from(["HTTPStatusCode", "RequestId", "HTTPHeaders"]), st.none() | st.text() | st.integers()
    ),
)
def test_no_answer_breaks_the_reading(code: Any, message: Any, metadata: dict[str, Any]) -> None:
    error = translate("CreateApp", answered(code, message, **metadata))
    assert is_safe(str(error))
    assert is_safe(error.service_code + error.request_id)
