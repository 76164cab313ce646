"""How one call is made through the client library, and how fields are taken out of its answer.

What `sagemaker` and `sagemaker_owners` stand on. Not here: any operation.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from engine.adapters.aws.errors import translate
from engine.adapters.aws.signing import signed_by
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.errors import CloudError
from engine.core.limits import (
    CALL_TOTAL_MAX_SECONDS,
    FAILURE_REASON_MAX_CHARS,
    LIST_PAGE_MAX_ROWS,
    TAG_KEY_MAX_CHARS,
    TAG_VALUE_MAX_CHARS,
)

if TYPE_CHECKING:
    from types_aiobotocore_sagemaker import SageMakerClient

    from engine.adapters.aws.signing import CredentialSource
    from engine.core.redact import Redactor

# How long a field may be, and how it must look, by its name in the API's model. What is only passed on has no form.
_NAME: Final = (63, re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*"))
_WORD: Final = (64, re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*"))
_TOKEN: Final = (8_192, None)
_ANY_FORM: Final[tuple[int, re.Pattern[str] | None]] = (2_048, None)
_FORMS: Final[Mapping[str, tuple[int, re.Pattern[str] | None]]] = {
    "Account": (12, re.compile(r"[0-9]{12}")),
    "AppName": _NAME,
    "AppType": _WORD,
    "DomainId": _NAME,
    "IdentityStoreId": (64, re.compile(r"[a-zA-Z0-9-]+")),
    "InstanceArn": (1_224, re.compile(r"arn:aws[a-z-]*:sso:::instance/[a-zA-Z0-9-.]+")),
    "InstanceType": _WORD,
    "Key": (TAG_KEY_MAX_CHARS, None),
    "NextToken": _TOKEN,
    "OwnerUserProfileName": _NAME,
    "PaginationToken": _TOKEN,
    "SharingType": _WORD,
    "SingleSignOnApplicationArn": (
        1_224,
        re.compile(r"arn:aws[a-z-]*:sso::[0-9]*:application/[a-zA-Z0-9-_.]+/apl-[a-zA-Z0-9]+"),
    ),
    "SpaceName": _NAME,
    "Status": _WORD,
    "UserId": (47, re.compile(r"[a-zA-Z0-9-]+")),
    "UserProfileName": _NAME,
    "Value": (TAG_VALUE_MAX_CHARS, None),
}
_EPOCH_MAX_SECONDS: Final = 253_402_300_800.0  # the year 10000
Send = Callable[[], Awaitable[object]]
P = ParamSpec("P")
T = TypeVar("T")


class AwsCalls:
    """One set of credentials in one region, and calls that raise CloudError alone."""

    _sagemaker: SageMakerClient

    def __init__(
        self,
        *,
        sagemaker: Any,
        sts: Any,
        credentials: CredentialSource,
        redactor: Redactor,
        endpoint: str = "",
        call_total_max_seconds: float = CALL_TOTAL_MAX_SECONDS,
    ) -> None:
        self._sagemaker = sagemaker
        self._sts = sts
        self._credentials = credentials
        self._redactor = redactor
        self._endpoint = endpoint
        self._call_total_max_seconds = call_total_max_seconds

    async def _call(self, operation: str, send: Send) -> Any:
        """Make one call in bounded time. Raises CloudError and nothing else, but for a cancellation."""
        try:
            await self._credentials.get_frozen_credentials()
            with signed_by(self._credentials):
                async with asyncio.timeout(self._call_total_max_seconds):
                    return self._redactor.answer(await send())
        except CloudError:
            raise
        except Exception as error:  # noqa: BLE001 the library raises what it meets, RecursionError included
            # Without the cause: its text and its request are not fit to be shown.
            raise translate(operation, error, self._redactor) from None

    async def _ask(
        self, operation: str, send: Send, read: Callable[Concatenate[Any, P], T], *more: P.args, **named: P.kwargs
    ) -> T:
        """Make one call and read its answer. Raises OutcomeUnknown where that is not what was asked for."""
        answer = await self._call(operation, send)
        try:
            return read(answer, *more, **named)
        except UnreadableAnswerError as error:
            raise translate(operation, error, self._redactor) from None


def required_text(answer: Any, name: str) -> str:
    """Return a field that must be there and say something, in the form that the API's model gives it."""
    value = optional_text(answer, name)
    if value is None:
        raise UnreadableAnswerError(f"the answer has no {name}")
    return value


def optional_text(answer: Any, name: str) -> str | None:
    """Return a field that may be missing, null or empty, which is the same; in the form of the API's model."""
    value = answer.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise UnreadableAnswerError(f"{name} is not a text")
    longest, form = _FORMS.get(name, _ANY_FORM)
    if len(value) > longest:
        raise UnreadableAnswerError(f"{name} has {len(value):,} characters, and the API's own limit is {longest:,}")
    if form is not None and not form.fullmatch(value):
        raise UnreadableAnswerError(f"{name} is not in the form that the API gives it")
    return value


def failure_reason(answer: Any) -> str:
    """Return why something failed; a longer text than the API gives is cut, since it is only shown."""
    value = answer.get("FailureReason")
    if value is not None and not isinstance(value, str):
        raise UnreadableAnswerError("FailureReason is not a text")
    return (value or "")[:FAILURE_REASON_MAX_CHARS]


def rows_of(answer: Any, name: str) -> list[Any]:
    """Return the rows of a page: no more than were asked for."""
    rows = answer.get(name)
    if not isinstance(rows, list):
        raise UnreadableAnswerError(f"the answer has no list {name}")
    if len(rows) > LIST_PAGE_MAX_ROWS:
        raise UnreadableAnswerError(f"{name} has {len(rows):,} rows, but the request was for {LIST_PAGE_MAX_ROWS}")
    return rows


def inner(answer: Any, name: str) -> Any:
    """Return a table inside an answer, an empty one where it is missing or null."""
    value = answer.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableAnswerError(f"{name} is not an object")
    return value


def creation_time(row: Any, domain_id: str) -> float:
    """Return a row's CreationTime in epoch seconds, when the row is of the domain that was asked for."""
    if not isinstance(row, dict):
        raise UnreadableAnswerError("a row is not an object")
    if row.get("DomainId") != domain_id:
        raise UnreadableAnswerError("a row is of another domain than requested")
    return _time(row.get("CreationTime"), "CreationTime")


def optional_time(row: dict[str, Any], name: str) -> float:
    """Return a time of a row in epoch seconds; 0 where it has none."""
    value = row.get(name)
    return 0.0 if value is None else _time(value, name)


def _time(value: Any, name: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < _EPOCH_MAX_SECONDS  # not a number and infinity are not either
    ):
        raise UnreadableAnswerError(f"{name} is not a time")
    return float(value)
