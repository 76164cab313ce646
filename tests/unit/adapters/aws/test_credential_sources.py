"""What is wrong with credentials on this machine is said at once, by name, and nothing is sent."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.adapters.aws.metadata_session import MetadataSession, MetadataSource
from engine.adapters.aws.sessions import Clouds
from engine.adapters.aws.transport import SafeSession, UnsafeEndpointError
from engine.core.errors import CredentialsFailed
from tests.unit.adapters.aws.hostile import DOMAIN_ID, FAST_TIMES, Request, desired, hostile, http
from tests.unit.adapters.aws.test_sessions import ASSUMED, ROLE, service, without_keys

if TYPE_CHECKING:
    from pathlib import Path

OLD, LATER = "2020-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def failure_of(profile: str | None = None) -> CredentialsFailed:
    """Connect, and give what was said; the service must not have been asked for anything."""
    async with hostile(service) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        with pytest.raises(CredentialsFailed) as caught:
            await clouds.connect(desired(profile=profile))
        assert server.connections == 0
    assert "may have been carried out" not in str(caught.value)
    return caught.value


def command(folder: Path, body: str) -> Path:
    """Write a command that prints, says and ends as `body` has it."""
    path = folder / "get-credentials"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def prints(**values: object) -> str:
    whole = {"Version": 1, "AccessKeyId": "AKIAPROCESSPROCESS12", "SecretAccessKey": "process-secret", **values}
    return f"print({json.dumps(json.dumps(whole))})"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize(
    ("tail", "flaw"),
    [
        ("\n", "a line break"),
        ("\r\n", "a line break"),
        ("\rx", "a line break"),
        (" ", "a space"),
        ("\tx", "a space"),
        ("\u00a0", "a space"),
        ("é", "a character that is not ASCII"),
        ("\x7f", "a character that is not ASCII"),
    ],
)
async def test_a_variable_that_cannot_be_sent_is_named(
    name: str, tail: str, flaw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"canary-value-0123456789{tail}")
    said = await failure_of()
    assert said.message == f"{name} contains {flaw}"
    assert said.hint.startswith("Nothing was sent")
    assert "canary-value" not in str(said)


async def test_keys_of_a_file_that_cannot_be_sent_are_named_by_their_source(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIA PROFILE\naws_secret_access_key = profile-secret\n"
        "[p]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = profile secret\n"
    )
    assert (await failure_of("default")).message == "The access key (shared-credentials-file) contains a space"
    assert (await failure_of("p")).message == "The secret key (shared-credentials-file) contains a space"


@pytest.mark.parametrize(
    ("expires", "said"), [(OLD, "is 2020-01-01T00:00:00Z: the credentials have expired"), ("soon", "is not a time")]
)
async def test_variables_that_have_expired_are_named(expires: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", expires)
    assert (await failure_of()).message == f"AWS_CREDENTIAL_EXPIRATION {said}"


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
async def test_an_empty_profile_is_said_to_be_empty(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    said = await failure_of()
    assert said.message == f"{name} is set and empty, so no AWS profile can be used"
    assert f"unset {name}" in said.hint


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "printed no JSON"),
        ("print('Token: s3cr3t')", "printed no JSON"),
        ("print('[1]')", "printed no JSON object with Version 1"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe')", "printed no JSON"),
        (prints(Version=2), "printed no JSON object with Version 1"),
        (prints(AccessKeyId=""), "printed no AccessKeyId"),
        (prints(SecretAccessKey=None), "printed no SecretAccessKey"),
        (prints(SessionToken=5), "printed a SessionToken that is not a text"),
        (prints(Expiration=OLD), "Expiration is 2020-01-01T00:00:00Z: the credentials have expired"),
        (prints(Expiration="soon"), "Expiration is not a time"),
        (prints(AccessKeyId="AKIA\n"), "contains a line break"),
        ("print('x' * 200_000)", "it prints more than 100000 bytes"),
        ("sys.exit(3)", "ended with exit code 3"),
        ("sys.exit('Session AKIAABCDEFGHIJKLMNOP is over: log in')", "ended with exit code 1: Session [redacted] is"),
    ],
)
async def test_a_credential_process_that_fails_is_named(body: str, said: str, tmp_path: Path) -> None:
    made = command(tmp_path, body)
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {made} --for me\n")
    failed = await failure_of("p")
    assert said in failed.message
    assert "s3cr3t" not in str(failed)
    if "contains" not in said:
        assert failed.message.startswith(f"credential_process of the AWS profile p: {made}".split(":", 1)[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/missing/get-credentials --x", "the command /missing/get-credentials does not exist"),
        ("/", "the command / cannot be used"),
        ('"unclosed', "has a quotation mark that is not closed"),
    ],
)
async def test_a_credential_process_that_cannot_be_run_is_named(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {line}\n")
    failed = await failure_of("p")
    assert failed.message.startswith("credential_process of the AWS profile p")
    assert said in failed.message
    assert "Nothing was sent" in failed.hint


async def test_the_source_profile_s_command_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        f"[profile p]\nrole_arn = {ROLE}\nsource_profile = q\n[profile q]\ncredential_process = /missing/tool\n"
    )
    assert "of the AWS profile q: the command /missing/tool does not exist" in (await failure_of("p")).message


async def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.adapters.aws.credential_sources.CREDENTIAL_COMMAND_MAX_SECONDS", 0.05)
    mark = tmp_path / "still-here"
    made = command(tmp_path, f"time.sleep(60)\nopen({str(mark)!r}, 'w')")
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {made}\n")
    assert "did not end within 0.05 s" in (await failure_of("p")).message
    assert not mark.exists()


async def test_a_credential_process_that_works_is_used(tmp_path: Path) -> None:
    made = command(tmp_path, prints(SessionToken="process-token", Expiration=LATER))
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {made}\n")
    async with hostile(service) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        await (await clouds.connect(desired(profile="p"))).list_apps(DOMAIN_ID)
        assert server.requests[0].headers["x-amz-security-token"] == "process-token"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two lines\nof it", "contains a line break"),
        (b"\xff\xfe", "is not text"),
    ],
)
@pytest.mark.parametrize("by_profile", [True, False])
async def test_a_web_identity_token_that_cannot_be_read_is_named(
    content: bytes | None, said: str, by_profile: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_keys(monkeypatch)
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    if by_profile:
        (tmp_path / "config").write_text(f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = {path}\n")
    else:
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    failed = await failure_of("p" if by_profile else None)
    assert str(path) in failed.message
    assert said in failed.message
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in failed.hint


@pytest.mark.parametrize("by_container", [True, False])
async def test_a_token_file_that_is_a_pipe_holds_nothing_up(
    by_container: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_keys(monkeypatch)
    os.mkfifo(tmp_path / "pipe")
    if by_container:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "pipe"))
    else:
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "pipe"))
    failed = await failure_of()
    assert f"{tmp_path / 'pipe'} is a pipe, not a regular file" in failed.message
    assert "Mount the token there" in failed.hint


async def test_a_line_break_at_the_end_of_a_web_identity_token_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_keys(monkeypatch)
    (tmp_path / "token").write_text("a.web.token\n")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    assumed = ASSUMED.replace(b"AssumeRoleResponse", b"AssumeRoleWithWebIdentityResponse").replace(
        b"AssumeRoleResult", b"AssumeRoleWithWebIdentityResult"
    )
    async with hostile(http(assumed, 200, "Content-Type: text/xml")) as server:
        async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
            await clouds.connect(desired())
        assert b"WebIdentityToken=a.web.token&" in server.requests[0].body + b"&"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"}, "in AWS_CONTAINER_AUTHORIZATION_TOKEN contains a line break"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/missing/token"}, "/missing/token does not exist"),
        (
            {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "FILE"},
            "(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) contains a line",
        ),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.7/x"}, "AWS_CONTAINER_CREDENTIALS_FULL_URI cannot be"),
    ],
)
async def test_trouble_of_a_container_s_credentials_is_named(
    variables: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_keys(monkeypatch)
    (tmp_path / "token").write_text("pod-token\n")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / "token") if value == "FILE" else value)
    failed = await failure_of()
    assert said in failed.message
    assert "pod-token" not in str(failed)


async def test_a_container_s_credentials_do_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    given = json.dumps(
        {"AccessKeyId": "ASIACONTAINER1234567", "SecretAccessKey": "s", "Token": "container-token", "Expiration": LATER}
    )

    async def answer(request: Request) -> bytes:
        return http(given.encode()) if "authorization" in request.headers else await service(request)

    async with hostile(http(b"", 500)) as proxy, hostile(answer) as host, hostile(service) as server:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{host.url}/x")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
        async with Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
            await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
        assert server.requests[0].headers["x-amz-security-token"] == "container-token"
        assert host.requests[0].headers["authorization"] == "pod-token"
        assert proxy.connections == 0


async def test_a_code_is_not_asked_for_where_nobody_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "config").write_text(
        "[profile keys]\naws_access_key_id = AKIAPROFILEPROFILE12\naws_secret_access_key = profile-secret\n"
        f"[profile p]\nrole_arn = {ROLE}\nsource_profile = keys\nmfa_serial = arn:aws:iam::111122223333:mfa/ops\n"
    )
    failed = await failure_of("p")
    assert failed.message == "The AWS profile p needs an MFA code (mfa_serial), and there is no terminal to ask"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = x\n",
            "sso_start_url",
        ),
        (f"[profile p]\nrole_arn = {ROLE}\nsource_profile = nobody\n", "nobody"),
        (f"[profile p]\nrole_arn = {ROLE}\nsource_profile = p\n", "p"),
        ("[profile p]\naws_access_key_id = AKIAPROFILEPROFILE12\n", "aws_secret_access_key"),
    ],
)
async def test_a_profile_that_cannot_work_says_why(config: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(config)
    failed = await failure_of("p")
    assert failed.message.startswith("Could not get AWS credentials (AWS profile p): ")
    assert said in failed.message


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://169.254.169.254/latest", True),
        ("http://169.254.170.2/v2", True),
        ("http://[fd00:ec2::254]/latest", True),
        ("http://localhost:1/x", True),
        ("http://192.168.1.1/x", True),
        ("http://example.org/x", False),
        ("http://8.8.8.8/x", False),
        ("http://u:p@127.0.0.1/x", False),
        ("ftp://127.0.0.1/x", False),
    ],
)
async def test_only_services_of_this_machine_are_spoken_to_plainly(url: str, may: bool) -> None:
    async with MetadataSource(1.0).acquire() as session:
        assert isinstance(session, SafeSession)
        assert session.may_speak_plainly(url) is may
        assert MetadataSession.send is SafeSession.send


async def test_a_metadata_service_elsewhere_is_refused_before_anything_is_sent() -> None:
    class Asked:
        url = "http://example.org/latest/meta-data"

    async with MetadataSource(1.0).acquire() as session:
        with pytest.raises(UnsafeEndpointError):
            await session.send(Asked())
