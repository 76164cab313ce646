"""Profiles, roles, endpoints and accounts: who calls, and where."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from engine.adapters.aws.sessions import Clouds, quiet_loggers, verify_account
from engine.adapters.aws.transport import SafeSession
from engine.core.errors import AccessDenied, CloudError, CredentialsFailed, Rejected, UsageError, WrongAccountError
from engine.ports.cloud import Caller
from tests.unit.adapters.aws.hostile import DOMAIN_ID, FAST_TIMES, Hostile, Request, desired, error, hostile, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/provisioner"
ASSUMED = (
    b'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
    b"<AccessKeyId>ASIAASSUMEDASSUMED12</AccessKeyId><SecretAccessKey>assumed-secret-0123456789</SecretAccessKey>"
    b"<SessionToken>assumed-token-0123456789</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
    b"</Credentials></AssumeRoleResult></AssumeRoleResponse>"
)
EMPTY_PAGE = http(b'{"Apps":[]}')


async def service(request: Request) -> bytes:
    """Answer AssumeRole and ListApps as the service does."""
    return http(ASSUMED, 200, "Content-Type: text/xml") if b"Action=AssumeRole" in request.body else EMPTY_PAGE


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Hostile, Clouds]]:
    """Yield a service and clouds that are sent there."""
    async with hostile(service) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        yield server, clouds


@pytest.fixture
def aws_config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(
        "[profile ml-prod]\naws_access_key_id = AKIAPROFILEPROFILE12\naws_secret_access_key = profile-secret\n"
        f"[profile ml-role]\nrole_arn = {ROLE}\nsource_profile = ml-prod\n"
        "[profile ml-http]\naws_access_key_id = AKIAPROFILEPROFILE12\naws_secret_access_key = profile-secret\n"
        "endpoint_url = http://192.0.2.1:80\n"
        "[profile ml-process]\ncredential_process = /bin/false\n"
    )
    return path


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)


async def test_domains_of_one_profile_role_and_region_share_a_cloud() -> None:
    async with serving() as (_, clouds):
        first = await clouds.connect(desired())
        assert await clouds.connect(desired()) is first
        assert await clouds.connect(desired(account="111122223333")) is first
        assert await clouds.connect(desired(role_arn=ROLE)) is not first


@pytest.mark.usefixtures("aws_config")
async def test_a_profile_of_the_fleet_wins_over_the_environment() -> None:
    async with serving() as (server, clouds):
        cloud = await clouds.connect(desired(profile="ml-prod"))
        await cloud.list_apps(DOMAIN_ID)
        assert "AKIAPROFILEPROFILE12" in server.requests[0].headers["authorization"]


async def test_a_role_is_assumed_once_and_signs_the_calls() -> None:
    async with serving() as (server, clouds):
        cloud = await clouds.connect(desired(role_arn=ROLE))
        await cloud.list_apps(DOMAIN_ID)
        await cloud.list_apps(DOMAIN_ID)
        assumed, *listed = server.requests
        asked = parse_qs(assumed.body.decode())
        assert (asked["RoleArn"], asked["RoleSessionName"]) == ([ROLE], ["appfleet"])
        assert assumed.headers["user-agent"].startswith("appfleet/")
        assert [request.headers["x-amz-security-token"] for request in listed] == ["assumed-token-0123456789"] * 2
        assert clouds.redactor.text("x assumed-secret-0123456789 y") == "x [redacted] y"


async def test_two_regions_of_one_role_assume_it_once() -> None:
    async with serving() as (server, clouds):
        first = await clouds.connect(desired(role_arn=ROLE))
        second = await clouds.connect(replace(desired(role_arn=ROLE), region="eu-west-2"))
        await first.list_apps(DOMAIN_ID)
        await second.list_apps(DOMAIN_ID)
        assert first is not second
        assert len([request for request in server.requests if b"Action=AssumeRole" in request.body]) == 1
        assert "/eu-west-1/sagemaker/" in server.requests[1].headers["authorization"]
        assert "/eu-west-2/sagemaker/" in server.requests[2].headers["authorization"]


async def test_a_role_that_is_refused_in_the_middle_of_a_run_ends_calls_before_they_are_sent() -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    times = replace(FAST_TIMES, last_use=3600.0)
    async with hostile(http(ASSUMED.replace(b"2099-01-01T00:00:00Z", soon))) as server:
        async with Clouds(endpoint_url=server.url, gate_times=times) as clouds:
            cloud = await clouds.connect(desired(role_arn=ROLE))
            server.answer = http(b"<E><Error><Code>AccessDenied</Code><Message>no</Message></Error></E>", 403)
            with pytest.raises(CredentialsFailed, match="AccessDenied"):
                await cloud.list_apps(DOMAIN_ID)
        assert [request.operation for request in server.requests] == ["", ""]


@pytest.mark.usefixtures("aws_config")
async def test_a_role_of_the_aws_configuration_is_assumed_through_the_safe_transport() -> None:
    """The library makes that client for itself; it goes to the explicit endpoint and follows no redirect either."""
    async with serving() as (server, clouds):
        cloud = await clouds.connect(desired(profile="ml-role"))
        await cloud.list_apps(DOMAIN_ID)
        assert b"Action=AssumeRole" in server.requests[0].body
        assert server.requests[0].headers["user-agent"].startswith("appfleet/")
        assert server.requests[1].headers["x-amz-security-token"] == "assumed-token-0123456789"
    async with hostile(http(ASSUMED)) as thief, hostile(http(b"", 307, f"Location: {thief.url}/")) as moved:
        async with Clouds(endpoint_url=moved.url, gate_times=FAST_TIMES) as clouds:
            with pytest.raises(CredentialsFailed):
                await clouds.connect(desired(profile="ml-role"))
        assert thief.connections == 0


@pytest.mark.usefixtures("aws_config")
async def test_a_profile_that_is_missing_names_those_that_exist() -> None:
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed) as caught:
            await clouds.connect(desired(profile="ml-pord"))
    assert "domain research (fleet.toml:7) names the AWS profile ml-pord" in caught.value.message
    assert "Did you mean ml-prod?" in caught.value.hint
    assert "ml-http, ml-process, ml-prod, ml-role" in caught.value.hint


async def test_a_missing_profile_of_the_environment_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed, match="AWS_PROFILE names the AWS profile nobody") as caught:
            await clouds.connect(desired())
    assert caught.value.hint == "Profiles that exist: none"


async def test_many_profiles_are_not_all_shown(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("".join(f"[profile p{i:02}]\nregion = x\n" for i in range(14)))
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed) as caught:
            await clouds.connect(desired(profile="zzz"))
    assert "p08, p09 and 4 more" in caught.value.hint


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
async def test_a_profile_of_the_fleet_beside_credentials_of_the_shell_says_which_wins(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual trouble of a first job in CI: keys from OIDC, and a profile that only exists at home."""
    without_keys(monkeypatch)
    monkeypatch.setenv(variable, "there")
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed) as caught:
            await clouds.connect(desired(profile="ml-prod"))
    assert f"its own credentials ({variable}), and a domain's `profile` wins over them" in caught.value.hint
    assert "remove `profile` from the domain" in caught.value.hint


async def test_no_credentials_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed, match="no credentials for domain research") as caught:
            await clouds.connect(desired())
    assert "AWS_PROFILE" in caught.value.hint


@pytest.mark.usefixtures("aws_config")
async def test_a_source_that_fails_is_a_failure_of_credentials() -> None:
    async with Clouds(gate_times=FAST_TIMES) as clouds:
        with pytest.raises(
            CredentialsFailed, match="credential_process of the AWS profile ml-process: /bin/false ended"
        ):
            await clouds.connect(desired(profile="ml-process"))


async def test_a_broken_aws_configuration_is_a_failure_of_credentials(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile x\n=")
    async with Clouds() as clouds:
        with pytest.raises(CredentialsFailed):
            await clouds.connect(desired())


async def test_a_role_that_may_not_be_assumed_is_a_failure_of_credentials() -> None:
    denied = http(
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message>"
        b"</Error><RequestId>r</RequestId></ErrorResponse>",
        403,
    )
    async with hostile(denied) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        with pytest.raises(CredentialsFailed, match="AccessDenied") as caught:
            await clouds.connect(desired(role_arn=ROLE))
        assert "sts:AssumeRole" in caught.value.hint
        assert len(server.requests) == 1


async def test_the_explicit_endpoint_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    async with serving() as (server, clouds):
        cloud = await clouds.connect(desired(role_arn=ROLE))
        await cloud.list_apps(DOMAIN_ID)
        assert cloud.endpoint == server.url
        assert len(server.requests) == 2


async def test_the_environment_s_endpoints_are_used_by_service(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hostile(service) as sagemaker, hostile(service) as sts, Clouds(gate_times=FAST_TIMES) as clouds:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", sagemaker.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        cloud = await clouds.connect(desired(role_arn=ROLE))
        await cloud.list_apps(DOMAIN_ID)
        assert cloud.endpoint == sagemaker.url
        assert (len(sagemaker.requests), len(sts.requests)) == (1, 1)


async def test_aws_s_own_endpoint_is_not_shown() -> None:
    async with Clouds() as clouds:
        assert (await clouds.connect(desired())).endpoint == ""


async def test_a_foreign_sts_is_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example.org")
    async with Clouds() as clouds:
        assert (await clouds.connect(desired())).endpoint == "https://sts.example.org"


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://example.org:8080", "ftp://localhost", "nonsense", "http://[", "http://"]
)
async def test_an_endpoint_that_is_not_safe_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Clouds(endpoint_url=url) as clouds:
        with pytest.raises(UsageError, match="--endpoint-url is") as caught:
            await clouds.connect(desired())
    assert "Use https" in caught.value.hint
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    async with Clouds() as clouds:
        with pytest.raises(UsageError, match="AWS_ENDPOINT_URL_STS is"):
            await clouds.connect(desired())


async def test_a_password_in_an_endpoint_is_refused_and_not_shown() -> None:
    async with Clouds(endpoint_url="https://ops:pass@word@example.org/x") as clouds:
        with pytest.raises(UsageError, match=r"--endpoint-url is https://example\.org/x, which") as caught:
            await clouds.connect(desired())
    assert "pass" not in str(caught.value).replace("profile", "")


@pytest.mark.parametrize(
    "service",
    [
        "SAGEMAKER",
        "RESOURCE_GROUPS_TAGGING_API",
        "SERVICE_QUOTAS",
        "PRICING",
        "SSO_OIDC",
        "SSO_ADMIN",
        "IDENTITYSTORE",
    ],
)
async def test_an_endpoint_of_one_service_that_is_not_safe_is_refused(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://localstack:4566")
    async with Clouds() as clouds:
        with pytest.raises(UsageError, match=f"AWS_ENDPOINT_URL_{service} is http://localstack:4566, which cannot"):
            await clouds.connect(desired())


@pytest.mark.parametrize("service", ["SSO_ADMIN", "IDENTITYSTORE"])
async def test_users_are_not_looked_up_in_another_world_than_sagemakers(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
    async with Clouds() as clouds:
        cloud = await clouds.connect(desired())
        with pytest.raises(
            Rejected, match=r"and of (IAM Identity Center|the identity store) is AWS's own, and"
        ) as caught:
            await cloud.instances()
    assert caught.value.hint == f"Set AWS_ENDPOINT_URL for both, or AWS_ENDPOINT_URL_{service} beside the other"


@pytest.mark.parametrize("by_profile", [True, False])
async def test_endpoints_of_variables_are_ignored_when_the_configuration_says_so(
    by_profile: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the AWS CLI does; an endpoint that is named on the command line counts all the same."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localstack:4566")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    if by_profile:
        (tmp_path / "config").write_text("[default]\nignore_configured_endpoint_urls = true\n")
    else:
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")
    async with Clouds() as clouds:
        cloud = await clouds.connect(desired())
        assert cloud.endpoint == ""
        assert cloud._sts.meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
    async with Clouds(endpoint_url="http://localstack:4566") as clouds:
        with pytest.raises(UsageError, match="--endpoint-url is http://localstack:4566"):
            await clouds.connect(desired())


@pytest.mark.usefixtures("aws_config")
async def test_an_endpoint_of_a_profile_that_is_not_safe_is_refused() -> None:
    async with Clouds() as clouds:
        with pytest.raises(UsageError, match=r"http://192\.0\.2\.1:80"):
            await clouds.connect(desired(profile="ml-http"))


async def test_an_endpoint_that_the_library_refuses_is_a_usage_error() -> None:
    async with Clouds(endpoint_url="https://bad_host-.example..org") as clouds:
        with pytest.raises(UsageError, match="not valid"):
            await clouds.connect(desired())


async def test_a_region_that_is_none_is_rejected() -> None:
    async with Clouds() as clouds:
        with pytest.raises(Rejected, match="could not be made") as caught:
            await clouds.connect(replace(desired(), region="eu west!"))
    assert caught.value.service_code == "InvalidRegionError"


async def test_a_cloud_that_was_left_sends_nothing() -> None:
    async with hostile(service) as server:
        async with Clouds(endpoint_url=server.url) as clouds:
            cloud = await clouds.connect(desired())
        with pytest.raises(CloudError, match="after it had been closed"):
            await cloud.list_apps(DOMAIN_ID)
        assert server.requests == []


async def test_a_denial_ends_one_call_alone() -> None:
    async with serving() as (server, clouds):
        cloud = await clouds.connect(desired())
        server.answer = error("AccessDeniedException", "User is not authorized to perform: sagemaker:ListApps")
        with pytest.raises(AccessDenied, match="sagemaker:ListApps"):
            await cloud.list_apps(DOMAIN_ID)
        server.answer = EMPTY_PAGE
        assert (await cloud.list_apps(DOMAIN_ID)).rows == ()


async def test_every_client_has_the_safe_session() -> None:
    async with Clouds() as clouds:
        cloud = await clouds.connect(desired())
        for client in (cloud._sagemaker, cloud._sts):
            assert isinstance(client._endpoint.http_session, SafeSession)


def test_an_account_that_is_pinned_is_checked() -> None:
    """Row 57."""
    caller = Caller("444455556666", "arn:aws:iam::444455556666:user/ops")
    verify_account(desired(), caller)
    verify_account(desired(account="444455556666"), caller)
    with pytest.raises(WrongAccountError, match="is in account 111122223333") as caught:
        verify_account(desired(account="111122223333"), caller)
    assert "444455556666" in caught.value.message
    assert "fleet.toml:7" in caught.value.message


def test_the_libraries_are_kept_quiet_whatever_was_set() -> None:
    child = logging.getLogger("botocore.auth")
    other = logging.getLogger("somebody.else")
    for logger in (child, other, logging.getLogger("aiohttp")):
        logger.setLevel(logging.DEBUG)
    quiet_loggers()
    assert not child.isEnabledFor(logging.INFO)
    assert not logging.getLogger("aiohttp.client").isEnabledFor(logging.INFO)
    assert other.isEnabledFor(logging.DEBUG)
    assert logging.getLogger("botocore").handlers
    other.setLevel(logging.NOTSET)
