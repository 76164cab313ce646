"""Answers of the service, as an endpoint that is not AWS, or not well, may give them, read by the real adapter."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote

from engine.core.errors import CloudError
from engine.core.text import is_safe
from tests.fuzz.targets import Target
from tests.unit.adapters.aws.conftest import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN
from tests.unit.adapters.aws.hostile import APP, ARN, DOMAIN_ID, ROW, SPEC, Hostile, cloud_at, hostile, http

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.adapters.aws.sagemaker import SageMakerCloud

_CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::111122223333:user/a</Arn><UserId>A</UserId><Account>111122223333</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_SESSION_TOKEN": SESSION_TOKEN,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
_SECRETS = (SECRET_KEY, SESSION_TOKEN)


class AnswerTarget(Target):
    """A status and a body: the first line is the status, the rest the body."""

    name = "answer"
    is_json = True
    words = (
        *(secret.encode() for secret in _SECRETS),
        *(quote(secret, safe="").encode() for secret in _SECRETS),
        *(base64.b64encode(secret.encode()) for secret in _SECRETS),
        b'{"__type":"', b'"message":"', b"ThrottlingException", b"ResourceLimitExceeded", b"ResourceInUse",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._stack.enter_context(mock.patch.dict(os.environ, _ENVIRONMENT))
        self._loop = asyncio.new_event_loop()
        self._stack.callback(self._loop.close)
        self._exits: list[Any] = []
        self._server: Hostile = self._enter(hostile())
        self._cloud: SageMakerCloud = self._enter(cloud_at(self._server.url))

    def close(self) -> None:
        """End the client and the server."""
        for manager in reversed(self._exits):
            self._loop.run_until_complete(manager.__aexit__(None, None, None))
        super().close()

    def _enter(self, manager: Any) -> Any:
        entered = self._loop.run_until_complete(manager.__aenter__())
        self._exits.append(manager)
        return entered

    def seeds(self) -> Iterable[bytes]:
        """Yield good answers of every call, and errors of every kind."""
        yield b'{"status":200,"body":{"Apps":[' + ROW + b'],"NextToken":"x"}}'
        detail = json.loads(ROW) | {"AppArn": ARN, "FailureReason": f"CapacityError {SECRET_KEY}"}
        for body in (
            detail,
            {"AppArn": ARN},
            {"Tags": [{"Key": "appfleet:fleet", "Value": "x"}], "NextToken": ""},
            {
                "UserProfiles": [
                    {"DomainId": DOMAIN_ID, "UserProfileName": "a", "Status": "InService", "CreationTime": 1.0}
                ]
            },
            {"Spaces": [{"DomainId": DOMAIN_ID, "SpaceName": "a", "Status": "InService", "CreationTime": 1.0}]},
            {"ResourceTagMappingList": [{"ResourceARN": ARN, "Tags": [{"Key": "k", "Value": "v"}]}]},
            {"AuthMode": "IAM", "DomainId": DOMAIN_ID},
            {"SingleSignOnApplicationArn": "arn:aws:sso::111122223333:application/ssoins-1/apl-1"},
            {"Instances": [{"InstanceArn": "arn:aws:sso:::instance/ssoins-1", "IdentityStoreId": "d-0123456789"}]},
            {"UserId": "0123456789-01234567-0123-0123-0123-0123456789ab"},
        ):
            yield json.dumps({"status": 200, "body": body}).encode()
        yield json.dumps({"status": 200, "body": _CALLER}).encode()
        for code in (
            "ThrottlingException",
            "ResourceLimitExceeded",
            "ResourceInUse",
            "ValidationException",
            "ConflictException",
            "X" + SECRET_KEY,
        ):
            message = f"The account-level service limit 'Studio Apps' is 5 Apps, with {SESSION_TOKEN}"
            yield json.dumps({"status": 400, "body": {"__type": code, "message": message}}).encode()

    def run(self, data: bytes) -> str:
        """Answer every call with it."""
        try:
            asked = json.loads(data)
            status, body = int(asked["status"]), asked["body"]
            status = status if 100 < status < 600 else 200
        except (ValueError, RecursionError, KeyError, TypeError, OverflowError):
            status, body = 200, None
        raw = data if body is None else body.encode("utf-8", "surrogatepass") if isinstance(body, str) else _json(body)
        self._server.answer = http(raw, status) if status != 204 else http(b"", 204)
        self._server.requests.clear()
        return self._loop.run_until_complete(self._all())

    async def _all(self) -> str:
        cloud, seen = self._cloud, []
        for call in (
            cloud.caller(),
            cloud.list_apps(DOMAIN_ID),
            cloud.create_app(APP, SPEC, ()),
            cloud.describe_app(APP),
            cloud.delete_app(APP),
            cloud.list_tags(ARN),
            cloud.tagged_resources("appfleet:fleet", ("sagemaker:app",)),
            cloud.list_owners(DOMAIN_ID, "user"),
            cloud.list_owners(DOMAIN_ID, "space"),
            cloud.describe_owner(DOMAIN_ID, "space", "a"),
            cloud.auth_mode(DOMAIN_ID),
            cloud.application_arn(DOMAIN_ID),
            cloud.instances(),
            cloud.user_id("d-0123456789", "ana@x"),
            cloud.assign_user("arn:aws:sso::111122223333:application/ssoins-1/apl-1", "7"),
        ):
            try:
                seen.append(type(await call).__name__)
            except CloudError as error:
                _check(error)
                seen.append(f"{type(error).__name__} {error.service_code} {error.message}"[:60])
        return " ".join(seen)


def _json(body: Any) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


def _check(error: CloudError) -> None:
    shown = f"{error} {error.service_code} {error.request_id}"
    assert is_safe(shown), "an error that cannot be shown"
    for secret in _SECRETS:
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
            assert form not in shown, "an error that shows a credential"
