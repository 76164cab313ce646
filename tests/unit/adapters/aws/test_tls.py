"""Nobody but the service answers: every client verifies certificate and name, with a proxy and without one."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.credentials
import botocore.tokens
import pytest

from engine.adapters.aws.sessions import Clouds
from engine.adapters.aws.transport import SafeConfig
from engine.core.errors import CloudError, CredentialsFailed, TlsFailed, Unreachable
from tests.loopback import listening
from tests.tls_lab import AWS_HOSTS, DAY, Authority, Proxy, proxy_to
from tests.unit.adapters.aws.conftest import SESSION_TOKEN
from tests.unit.adapters.aws.hostile import DOMAIN_ID, FAST_TIMES, Hostile, Request, desired, hostile, http
from tests.unit.adapters.aws.test_sessions import ASSUMED, ROLE

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

CALLER = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/ops</Arn><UserId>x</UserId>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


async def service(request: Request) -> bytes:
    """Answer as the services do."""
    if b"Action=GetCallerIdentity" in request.body:
        return http(CALLER, 200, "Content-Type: text/xml")
    if b"Action=AssumeRole" in request.body:
        return http(ASSUMED, 200, "Content-Type: text/xml")
    return http(b'{"Apps":[]}')


@dataclass(frozen=True)
class Lab:
    """Two authorities: `ours` is in AWS_CA_BUNDLE, and of `theirs` nobody here knows."""

    ours: Authority
    theirs: Authority


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("tls")
    return Lab(Authority(folder, "ours"), Authority(folder, "theirs"))


@pytest.fixture
def lab(authorities: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authorities.ours.bundle))
    for name in (
        "REQUESTS_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    return authorities


def contexts(lab: Lab, host: str) -> dict[str, tuple[ssl.SSLContext, str]]:
    """Return what a liar may show for `host`, and the words that tell of it."""
    return {
        "other host": (lab.ours.issue("evil.example").server(), "evil.example|ostname mismatch|IP address mismatch"),
        "unknown authority": (lab.theirs.issue(host).server(), "its authority is not known"),
        "expired": (lab.ours.issue(host, lasts=-DAY).server(), "has expired"),
        "self-signed": (lab.theirs.itself(host).server(), "self-signed"),
    }


LIES = ("other host", "unknown authority", "expired", "self-signed")


def clouds_at(url: str) -> Clouds:
    return Clouds(endpoint_url=url, gate_times=FAST_TIMES)


async def list_once(clouds: Clouds) -> None:
    await (await clouds.connect(desired())).list_apps(DOMAIN_ID)


async def test_a_server_that_proves_itself_is_spoken_to(lab: Lab) -> None:
    for host in ("localhost", "127.0.0.1"):
        async with hostile(service, context=lab.ours.issue(host).server(), host=host) as server:
            async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
                cloud = await clouds.connect(desired())
                assert (await cloud.caller()).account == "111122223333"
                await cloud.list_apps(DOMAIN_ID)
            assert len(server.requests) == 2


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_cannot_prove_itself_gets_nothing(lab: Lab, lie: str) -> None:
    context, words = contexts(lab, "localhost")[lie]
    async with hostile(service, context=context, host="localhost") as server:
        async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match=words) as caught:
                await list_once(clouds)
        assert server.requests == []
    assert f"localhost:{server.port}" in caught.value.message
    assert f"{lab.ours.bundle} (AWS_CA_BUNDLE)" in caught.value.message
    assert "Nothing was sent" in caught.value.hint


async def test_a_name_does_not_stand_for_an_address(lab: Lab) -> None:
    async with hostile(service, context=lab.ours.issue("localhost").server(), host="127.0.0.1") as server:
        async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match=r"127\.0\.0\.1"):
                await list_once(clouds)
        assert server.requests == []


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_an_empty_variable_means_the_default_authorities(
    authorities: Lab, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library takes an empty path for an order to verify nothing."""
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.setenv(variable, "")
    async with hostile(service, context=authorities.ours.issue("localhost").server(), host="localhost") as server:
        async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match="the default authorities"):
                await list_once(clouds)
        assert server.requests == []


async def test_a_bundle_that_cannot_be_used_ends_it_before_a_connection(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none.pem").write_text("no certificate here\n")
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty.pem").touch()
    os.mkfifo(tmp_path / "pipe.pem")
    bad = {
        "missing.pem": "which does not exist",
        "none.pem": "which holds no PEM certificates",
        "half.pem": "which holds no PEM certificates",
        "empty.pem": "which holds no PEM certificates",
        ".": "which cannot be read",
        "pipe.pem": "which is a pipe",
    }
    async with hostile(service, context=lab.ours.issue("localhost").server(), host="localhost") as server:
        for name, words in bad.items():
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / name))
            async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
                with pytest.raises(TlsFailed, match=words) as caught:
                    await list_once(clouds)
                assert caught.value.message.startswith(f"AWS_CA_BUNDLE names {tmp_path / name}")
                assert "Nothing was sent" in caught.value.hint
        assert server.connections == 0


@pytest.mark.usefixtures("lab")
async def test_a_bundle_is_not_needed_for_plain_http_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/missing.pem")
    async with hostile(service) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        await list_once(clouds)


async def test_the_profile_s_bundle_is_used_and_named(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    config = tmp_path / "config"
    async with hostile(service, context=lab.ours.issue("localhost").server(), host="localhost") as server:
        for bundle, is_trusted in ((lab.ours.bundle, True), (lab.theirs.bundle, False), ("/missing.pem", False)):
            config.write_text(f"[default]\nca_bundle = {bundle}\n")
            async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
                if is_trusted:
                    await list_once(clouds)
                    continue
                with pytest.raises(TlsFailed, match="`ca_bundle` of the AWS profile") as caught:
                    await list_once(clouds)
                assert str(bundle) in caught.value.message
        assert len(server.requests) == 1


@asynccontextmanager
async def raw(words: bytes) -> AsyncIterator[int]:
    """Serve on loopback whoever connects: some bytes, and the end."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()

    async with listening(serve) as port:
        yield port


@pytest.mark.usefixtures("lab")
async def test_a_server_that_speaks_no_tls_is_not_asked_again() -> None:
    async with raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, clouds_at(f"https://localhost:{port}") as clouds:
        with pytest.raises(TlsFailed, match="does not speak TLS"):
            await list_once(clouds)


@pytest.mark.usefixtures("lab")
async def test_a_handshake_that_is_cut_off_may_pass() -> None:
    """A connection that ends in the middle is not a certificate that was refused."""
    async with raw(b"") as port, Clouds(endpoint_url=f"https://localhost:{port}", gate_times=FAST_TIMES) as clouds:
        with pytest.raises(Unreachable, match="connection reset"):
            await list_once(clouds)


# Behind a proxy: the names are AWS's own, and whoever holds the proxy chooses who answers.


@asynccontextmanager
async def in_the_middle(
    monkeypatch: pytest.MonkeyPatch, behind: ssl.SSLContext, **proxy: Any
) -> AsyncIterator[tuple[Hostile, Proxy]]:
    """Put a proxy before everything, and behind it one server for all names."""
    async with hostile(service, context=behind) as server, proxy_to(server.port, **proxy) as state:
        monkeypatch.setenv("HTTPS_PROXY", state.url)
        yield server, state


async def test_aws_is_spoken_to_through_a_proxy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async with in_the_middle(monkeypatch, lab.ours.issue(*AWS_HOSTS).server()) as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            cloud = await clouds.connect(desired())
            await cloud.caller()
            await cloud.list_apps(DOMAIN_ID)
        assert len(server.requests) == 2
        assert sorted(proxy.asked) == ["api.sagemaker.eu-west-1.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443"]
        assert SESSION_TOKEN not in "".join(proxy.heads)


@pytest.mark.parametrize("lie", LIES)
async def test_a_man_in_the_middle_gets_nothing(lab: Lab, lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context, words = contexts(lab, "api.sagemaker.eu-west-1.amazonaws.com")[lie]
    async with in_the_middle(monkeypatch, context) as (server, _):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match=words) as caught:
                await list_once(clouds)
        assert server.requests == []
    assert "api.sagemaker.eu-west-1.amazonaws.com:443" in caught.value.message


async def test_without_a_bundle_the_default_authorities_hold_behind_a_proxy(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    async with in_the_middle(monkeypatch, lab.ours.issue(*AWS_HOSTS).server()) as (server, _):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match="the default authorities"):
                await list_once(clouds)
        monkeypatch.setenv("AWS_CA_BUNDLE", "/missing.pem")
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match=r"AWS_CA_BUNDLE names /missing\.pem, which does not exist"):
                await list_once(clouds)
        assert server.requests == []


async def test_a_proxy_that_speaks_tls_proves_itself_too(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_context = lab.ours.issue(*AWS_HOSTS).server()
    good = lab.theirs.issue("localhost").server()
    async with in_the_middle(monkeypatch, server_context, context=good, host="localhost") as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match=r"localhost:.*its authority is not known"):
                await list_once(clouds)
        assert (proxy.asked, server.requests) == ([], [])
        (tmp_path / "config").write_text(f"[default]\nproxy_ca_bundle = {lab.ours.bundle}\n")
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match="`proxy_ca_bundle` of the AWS profile"):
                await list_once(clouds)
        (tmp_path / "config").write_text(f"[default]\nproxy_ca_bundle = {lab.theirs.bundle}\n")
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            await list_once(clouds)
        assert len(server.requests) == 1


async def test_the_proxy_s_authority_does_not_vouch_for_aws(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[default]\nproxy_ca_bundle = {lab.theirs.bundle}\n")
    proxy_context = lab.theirs.issue("localhost").server()
    forged = lab.theirs.issue(*AWS_HOSTS).server()
    # Python 3.11.2, which Debian 12 has, loses the reason where TLS within TLS fails. It sends nothing all the same.
    is_known = sys.version_info >= (3, 11, 7)
    expected, said = (
        (TlsFailed, r"api\.sagemaker\..*its authority is not known") if is_known else (CloudError, "ListApps failed")
    )
    async with in_the_middle(monkeypatch, forged, context=proxy_context, host="localhost") as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(expected, match=said):
                await list_once(clouds)
        assert len(proxy.asked) == 1
        assert server.requests == []


async def test_a_proxy_of_another_name_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lab.ours.issue("evil.example").server()
    right = lab.ours.issue(*AWS_HOSTS).server()
    async with in_the_middle(monkeypatch, right, context=wrong, host="localhost") as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match="localhost"):
                await list_once(clouds)
        assert (proxy.asked, server.requests) == ([], [])


async def test_a_client_certificate_is_shown_to_who_asks(lab: Lab) -> None:
    context = lab.ours.issue("localhost").server(clients=lab.theirs.bundle)
    async with hostile(service, context=context, host="localhost") as server:
        for files, error in (
            (str(lab.theirs.issue("client").path), None),
            (None, CloudError),
            (str(lab.ours.issue("stranger").path), CloudError),
            ("/missing-client.pem", TlsFailed),
        ):
            async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
                clouds._config = clouds._config.merge(SafeConfig(client_cert=files))
                if error is None:
                    await list_once(clouds)
                    continue
                with pytest.raises(error):
                    await list_once(clouds)
        assert len(server.requests) == 1


# Every client, those that the library makes for itself to get credentials included.


def soon() -> str:
    return (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def later() -> str:
    return (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")


def config_of(folder: Path) -> str:
    (folder / "token").write_text("a.web.token")
    return f"""
[profile keys]
aws_access_key_id = AKIAPROFILEPROFILE12
aws_secret_access_key = profile-secret
[profile role]
role_arn = {ROLE}
source_profile = keys
[profile chain]
role_arn = {ROLE}
source_profile = role
[profile web]
role_arn = {ROLE}
web_identity_token_file = {folder / "token"}
[profile role-of-web]
role_arn = {ROLE}
source_profile = web
[profile sso-old]
sso_start_url = https://example.awsapps.com/old
sso_region = eu-west-1
sso_account_id = 111122223333
sso_role_name = Admin
[profile sso]
sso_session = s
sso_account_id = 111122223333
sso_role_name = Admin
[profile sso-stale]
sso_session = stale
sso_account_id = 111122223333
sso_role_name = Admin
[profile role-of-sso]
role_arn = {ROLE}
source_profile = sso
[sso-session s]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
[sso-session stale]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
"""


def sso_tokens(folder: Path) -> None:
    """Write the tokens that `aws sso login` keeps: one that lasts, and one that has to be renewed now."""
    folder.mkdir()
    token = {
        "startUrl": "https://example.awsapps.com/start",
        "region": "eu-west-1",
        "accessToken": "sso-access-token",
        "expiresAt": later(),
        "clientId": "c",
        "clientSecret": "sso-client-secret",
        "refreshToken": "sso-refresh-token",
        "registrationExpiresAt": later(),
    }
    for key, expires in (("https://example.awsapps.com/old", later()), ("s", later()), ("stale", soon())):
        name = hashlib.sha1(key.encode()).hexdigest()  # noqa: S324 - the name that the AWS CLI gives the file
        (folder / f"{name}.json").write_text(json.dumps({**token, "expiresAt": expires}))


async def connected(clouds: Clouds, **domain: Any) -> Any:
    return await clouds.connect(desired(**domain))


async def tagging(clouds: Clouds) -> None:
    await (await clouds.connect(desired())).tagged_resources("appfleet:fleet", ("sagemaker:app",))


async def instances(clouds: Clouds) -> None:
    await (await clouds.connect(desired())).instances()


async def users(clouds: Clouds) -> None:
    await (await clouds.connect(desired())).user_id("d-1234567890", "ana@x")


async def quotas(clouds: Clouds) -> None:
    calls = await clouds.account(desired())
    assert calls is not None
    await calls.list_quotas()


async def pricing(clouds: Clouds) -> None:
    await (await clouds.prices(desired())).offers("eu-west-1")


async def caller(clouds: Clouds) -> None:
    await (await clouds.connect(desired())).caller()


CLIENTS: dict[str, tuple[Callable[[Clouds], Awaitable[Any]], str]] = {
    "SageMaker": (list_once, "api.sagemaker.eu-west-1.amazonaws.com"),
    "GetCallerIdentity": (caller, "sts.eu-west-1.amazonaws.com"),
    "tagging": (tagging, "tagging.eu-west-1.amazonaws.com"),
    "sso-admin": (instances, "sso.eu-west-1.amazonaws.com"),
    "identitystore": (users, "identitystore.eu-west-1.amazonaws.com"),
    "service-quotas": (quotas, "servicequotas.eu-west-1.amazonaws.com"),
    "pricing": (pricing, "api.pricing."),
    "role_arn": (lambda clouds: connected(clouds, role_arn=ROLE), "sts.eu-west-1.amazonaws.com"),
    "source_profile": (lambda clouds: connected(clouds, profile="role"), "sts.eu-west-1.amazonaws.com"),
    "role chain": (lambda clouds: connected(clouds, profile="chain"), "sts.eu-west-1.amazonaws.com"),
    "web identity": (lambda clouds: connected(clouds, profile="web"), "sts.eu-west-1.amazonaws.com"),
    "role of a web identity": (lambda clouds: connected(clouds, profile="role-of-web"), "sts.eu-west-1.amazonaws.com"),
    "sso, old": (lambda clouds: connected(clouds, profile="sso-old"), "portal.sso.eu-west-1.amazonaws.com"),
    "sso": (lambda clouds: connected(clouds, profile="sso"), "portal.sso.eu-west-1.amazonaws.com"),
    "sso-oidc": (lambda clouds: connected(clouds, profile="sso-stale"), "oidc.eu-west-1.amazonaws.com"),
    "role of sso": (lambda clouds: connected(clouds, profile="role-of-sso"), "portal.sso.eu-west-1.amazonaws.com"),
}


@pytest.mark.parametrize("is_foreign", [True, False], ids=["other host", "unknown authority"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_no_client_is_fooled(
    lab: Lab, client: str, is_foreign: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(config_of(tmp_path))
    sso_tokens(tmp_path / "sso")
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    monkeypatch.setattr(botocore.tokens.SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    use, host = CLIENTS[client]
    liar = lab.ours.issue("evil.example") if is_foreign else lab.theirs.issue(*AWS_HOSTS)
    async with in_the_middle(monkeypatch, liar.server()) as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(TlsFailed, match="Cannot trust the certificate of") as caught:
                await use(clouds)
        assert len(proxy.asked) == 1, "it is not asked again"
        assert proxy.asked[0].startswith(host)
        assert server.requests == []
    assert host in caught.value.message
    assert caught.value.ends_lane


async def test_a_proxy_that_asks_for_a_password_says_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    context = lab.ours.issue(*AWS_HOSTS).server()
    async with in_the_middle(monkeypatch, context, password="pa55-of-the-proxy") as (server, proxy):
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(CredentialsFailed, match=r"asks for a user name and a password \(407\)") as caught:
                await list_once(clouds)
        assert "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT" in caught.value.hint
        bare = proxy.url.removeprefix("http://")
        monkeypatch.setenv("HTTPS_PROXY", f"http://ops:wr0ng-password@{bare}")
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(CredentialsFailed, match="refused the user name and the password") as caught:
                await list_once(clouds)
        assert "wr0ng-password" not in str(caught.value)
        assert server.requests == []
        monkeypatch.setenv("HTTPS_PROXY", f"http://ops:pa55-of-the-proxy@{bare}")
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            await list_once(clouds)
        assert len(server.requests) == 1
