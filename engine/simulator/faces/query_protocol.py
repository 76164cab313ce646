"""The Query protocol, which STS and IAM speak: a form in, XML out. Only what three operations need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

QUERY_SERVICES: Final = frozenset({"sts", "iam"})
_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"  # clients read the names alone
_FIELDS_MAX_COUNT: Final = 200
_NUMBERS: Final = frozenset({"DurationSeconds"})
_TIMES: Final = frozenset({"Expiration", "CreateDate"})


def read_query(body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the operation and its flat parameters; an empty operation for what is not a form.

    Parameters that are lists or structures (`Tags.member.1.Key`) are left out: nothing here reads them.
    """
    try:
        fields = dict(parse_qsl(body.decode(), max_num_fields=_FIELDS_MAX_COUNT))
    except ValueError:
        return "", {}
    operation = fields.pop("Action", "")
    fields.pop("Version", None)
    params: dict[str, Any] = {}
    for name, value in fields.items():
        if "." not in name:
            params[name] = int(value) if name in _NUMBERS and value.isdigit() else value
    return operation, params


def query_answer(operation: str, result: dict[str, Any], request_id: str) -> bytes:
    """Return the XML of an answer."""
    return (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{_members(result)}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def query_error(code: str, message: str, request_id: str) -> bytes:
    """Return the XML of an error."""
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _members(values: dict[str, Any]) -> str:
    shown: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            inner = _members(value)
        elif name in _TIMES:
            inner = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            inner = escape(str(value))
        shown.append(f"<{name}>{inner}</{name}>")
    return "".join(shown)
