"""Where credentials come from on this machine: variables, files, commands and local services, each named in what fails.

The library's own sources tell a missing file as FileNotFoundError and a command that prints nothing as JSONDecodeError,
and ask a terminal that is not there for a code. These are the same sources with words: what is wrong, in which
variable, file or command, and that nothing was sent. Their requests to local services use the safe session too.

Not here: when credentials are renewed (`credentials`), roles of the fleet file (`sessions`).
"""

from __future__ import annotations

import asyncio
import errno
import getpass
import json
import os
import stat
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.credentials import (
    AioAssumeRoleProvider,
    AioAssumeRoleWithWebIdentityProvider,
    AioCanonicalNameCredentialSourcer,
    AioConfigProvider,
    AioContainerProvider,
    AioEnvProvider,
    AioInstanceMetadataProvider,
    AioProcessProvider,
    AioProfileProviderBuilder,
    create_credential_resolver,
)
from botocore.compat import compat_shell_split
from botocore.utils import parse_timestamp

from engine.adapters.aws.metadata_session import MetadataSource
from engine.core.errors import CredentialsFailed
from engine.core.limits import CREDENTIAL_COMMAND_MAX_SECONDS, CREDENTIAL_TEXT_MAX_BYTES, CREDENTIAL_WORDS_MAX_CHARS
from engine.core.redact import Redactor

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

_ENVIRONMENT_NAMES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_FIRST_PRINTABLE: Final = "!"
_LAST_PRINTABLE: Final = "~"

NOTHING_SENT: Final = "Nothing was sent"
_COMMAND_HINT: Final = f"{NOTHING_SENT}. Run the command by hand; it must print one JSON object with Version 1"
_WEB_TOKEN_HINT: Final = (
    f"{NOTHING_SENT}. Mount the token there, or correct AWS_WEB_IDENTITY_TOKEN_FILE (web_identity_token_file of the "
    "profile)"
)
_CONTAINER_HINT: Final = f"{NOTHING_SENT}. Write the token into one line without a line break"
_CONTAINER_FILE_HINT: Final = (
    f"{NOTHING_SENT}. Mount the token there, or correct AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
)
_MFA_HINT: Final = (
    f"{NOTHING_SENT}. Run appfleet at a terminal, or get a session with MFA first (aws sts get-session-token) and use "
    "its keys"
)


def flaw_of(text: str) -> str:
    """Return what keeps a key or token from being sent in a header, or an empty text."""
    if "\n" in text or "\r" in text:
        return "a line break"
    if any(char.isspace() for char in text):
        return "a space"
    if not all(_FIRST_PRINTABLE <= char <= _LAST_PRINTABLE for char in text):
        return "a character that is not ASCII"
    return ""


def check_keys(frozen: Any, method: str) -> None:
    """Raise CredentialsFailed for keys that cannot be sent. `method` is the library's name of their source."""
    values = {"access key": frozen.access_key, "secret key": frozen.secret_key, "session token": frozen.token}
    for what, value in values.items():
        flaw = flaw_of(value or "")
        if flaw:
            name = _variable_with(value) if method == AioEnvProvider.METHOD else ""
            raise CredentialsFailed(
                f"{name or f'The {what} ({method})'} contains {flaw}",
                hint=f"{NOTHING_SENT}. Copy the value again, without anything before or after it",
                service_code="UnusableKey",
            )


def _variable_with(value: str) -> str:
    return next((name for name in _ENVIRONMENT_NAMES if os.environ.get(name) == value), "")


def credential_resolver(session: AioSession, region: str | None) -> Any:
    """Return the chain of sources, in the library's order, with ours in place of those that fail without words."""
    resolver = create_credential_resolver(session, region_name=region)
    profile: str = session.get_config_variable("profile") or "default"
    is_explicit = session.instance_variables().get("profile") is not None
    builder = _NamedSources(session, cache={}, region_name=region)
    ours = {source.METHOD: source for source in builder.providers(profile, disable_env_vars=is_explicit)}
    container = _Container()
    container._fetcher._session = MetadataSource(container._fetcher.TIMEOUT_SECONDS)  # noqa: SLF001 no other way in
    ours[container.METHOD] = container
    ours[AioEnvProvider.METHOD] = environment = _Environment()
    resolver.providers = [ours.get(source.METHOD, source) for source in resolver.providers]
    machine = next(source for source in resolver.providers if isinstance(source, AioInstanceMetadataProvider))
    machine._role_fetcher._session = MetadataSource(machine._role_fetcher._timeout)  # noqa: SLF001 as above
    for source in resolver.providers:
        if isinstance(source, AioConfigProvider):
            source._config_parser = lambda _: session.full_config  # noqa: SLF001 what was read need not be read again
        if isinstance(source, AioAssumeRoleProvider):
            source._prompter = _Prompter(profile)  # noqa: SLF001 as above
            source._profile_provider_builder = builder  # noqa: SLF001 as above
            sources = AioCanonicalNameCredentialSourcer([environment, container, machine])
            source._credential_sourcer = sources  # noqa: SLF001 as above
    return resolver


class _Environment(AioEnvProvider):  # type: ignore[misc]  # the library has no types
    """AWS_ACCESS_KEY_ID and its companions."""

    async def load(self) -> Any:
        expires = self.environ.get("AWS_CREDENTIAL_EXPIRATION", "")
        if expires and self.environ.get("AWS_ACCESS_KEY_ID"):
            _check_expiry(expires, "AWS_CREDENTIAL_EXPIRATION", "get new credentials")
        return await super().load()


class _NamedSources(AioProfileProviderBuilder):  # type: ignore[misc]  # the library has no types
    """Makes the sources of one profile, and of the profiles that it takes its credentials from."""

    def _create_process_provider(self, profile_name: str) -> Any:
        return _Process(profile_name=profile_name, load_config=lambda: self._session.full_config)

    def _create_web_identity_provider(self, profile_name: str, disable_env_vars: bool) -> Any:
        made: AioAssumeRoleWithWebIdentityProvider = super()._create_web_identity_provider(
            profile_name, disable_env_vars
        )
        made._token_loader_cls = _WebIdentityToken  # noqa: SLF001 the constructor is the library's to call
        return made


class _WebIdentityToken:
    """Reads the token of a web identity each time that a role is assumed with it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self) -> str:
        token = _read_text(self._path, "web identity token", _WEB_TOKEN_HINT).strip()
        if not token or flaw_of(token):
            why = f"contains {flaw_of(token)}" if token else "is empty"
            raise _failed(f"The web identity token in {self._path} {why}", _WEB_TOKEN_HINT)
        return token


class _Process(AioProcessProvider):  # type: ignore[misc]  # the library has no types
    """`credential_process` of a profile."""

    async def _retrieve_credentials_using(self, credential_process: str) -> dict[str, Any]:
        what = f"credential_process of the AWS profile {self._profile_name}"
        command = _split(credential_process, what)
        try:
            async with asyncio.timeout(CREDENTIAL_COMMAND_MAX_SECONDS):
                code, out, err = await _output_of(command)
        except TimeoutError:
            why = f"did not end within {CREDENTIAL_COMMAND_MAX_SECONDS:g} s"
            raise _failed(f"{what}: {command[0]} {why}", _COMMAND_HINT) from None
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            why = "does not exist" if missing else f"cannot be used: {error.strerror}"
            raise _failed(f"{what}: the command {command[0]} {why}", _COMMAND_HINT) from None
        if code != 0:
            said = _last_line(err)
            raise _failed(f"{what}: {command[0]} ended with exit code {code}{said and f': {said}'}", _COMMAND_HINT)
        return self._read(out, f"{what}: {command[0]}")

    def _read(self, out: bytes, said: str) -> dict[str, Any]:
        """Read what the command printed. It may hold a secret, so no word of it is shown."""
        try:
            printed = json.loads(out)
        except ValueError:
            raise _failed(f"{said} printed no JSON", _COMMAND_HINT) from None
        if not isinstance(printed, dict) or printed.get("Version") != 1:
            raise _failed(f"{said} printed no JSON object with Version 1", _COMMAND_HINT)
        for name in ("AccessKeyId", "SecretAccessKey"):
            if not isinstance(printed.get(name), str) or not printed[name]:
                raise _failed(f"{said} printed no {name}", _COMMAND_HINT)
        for name in ("SessionToken", "Expiration", "AccountId"):
            if not isinstance(printed.get(name, ""), str | None):
                raise _failed(f"{said} printed a {name} that is not a text", _COMMAND_HINT)
        if printed.get("Expiration"):
            _check_expiry(printed["Expiration"], f"{said}: Expiration", "renew what it reads them from")
        return {
            "access_key": printed["AccessKeyId"],
            "secret_key": printed["SecretAccessKey"],
            "token": printed.get("SessionToken"),
            "expiry_time": printed.get("Expiration"),
            "account_id": printed.get("AccountId"),
        }


def _split(credential_process: str, what: str) -> list[str]:
    try:
        command: list[str] = compat_shell_split(credential_process)
    except ValueError:
        raise _failed(f"{what} has a quotation mark that is not closed", _COMMAND_HINT) from None
    if not command:
        raise _failed(f"{what} is empty", _COMMAND_HINT)
    return command


async def _output_of(command: list[str]) -> tuple[int, bytes, bytes]:
    """Run a command to its end; give its exit code and what it printed. It is ended when nobody waits any more."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=nothing, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
        if len(out) <= CREDENTIAL_TEXT_MAX_BYTES:
            return await process.wait(), out, err
        raise OSError(errno.EFBIG, f"it prints more than {CREDENTIAL_TEXT_MAX_BYTES} bytes")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _bounded(stream: asyncio.StreamReader | None) -> bytes:
    """Read a stream to its end, or a little over its bound."""
    parts = bytearray()
    while stream is not None and len(parts) <= CREDENTIAL_TEXT_MAX_BYTES and (part := await stream.read(65_536)):
        parts += part
    return bytes(parts)


def _last_line(printed: bytes) -> str:
    """Return what a command said last, for a message: without secrets, and not too long of it."""
    lines = [line.strip() for line in printed.decode(errors="replace").splitlines() if line.strip()]
    return Redactor().text(lines[-1])[:CREDENTIAL_WORDS_MAX_CHARS] if lines else ""


class _Container(AioContainerProvider):  # type: ignore[misc]  # the library has no types
    """Credentials that a container's host gives out (ECS, EKS Pod Identity)."""

    def _build_headers(self) -> dict[str, str] | None:
        path = self._environ.get(self.ENV_VAR_AUTH_TOKEN_FILE)
        if path is not None:
            token = _read_text(path, "container authorization token", _CONTAINER_FILE_HINT)
            where = f"{path} ({self.ENV_VAR_AUTH_TOKEN_FILE})"
        elif (token := self._environ.get(self.ENV_VAR_AUTH_TOKEN)) is not None:
            where = self.ENV_VAR_AUTH_TOKEN
        else:
            return None
        if "\n" in token or "\r" in token:
            raise _failed(f"The container authorization token in {where} contains a line break", _CONTAINER_HINT)
        return {"Authorization": token}

    async def _retrieve_or_fail(self) -> Any:
        try:
            return await super()._retrieve_or_fail()
        except ValueError as error:  # of a host that is not one that gives out credentials
            name = self.ENV_VAR if self._provided_relative_uri() else self.ENV_VAR_FULL
            hint = f"{NOTHING_SENT}. Unset {name}, or let it name the container's own credential service"
            raise _failed(f"{name} cannot be used: {error}", hint) from None
        except KeyError as error:
            hint = "Look at the service that AWS_CONTAINER_CREDENTIALS_FULL_URI names"
            raise _failed(f"The container's credential service left out {error}", hint) from None


class _Prompter:
    """Asks for the code of an MFA device, when there is somebody to ask."""

    def __init__(self, profile: str) -> None:
        self._profile = profile

    def __call__(self, prompt: str) -> str:
        if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()):
            message = f"The AWS profile {self._profile} needs an MFA code (mfa_serial), and there is no terminal to ask"
            raise _failed(message, _MFA_HINT)
        return getpass.getpass(prompt)


def _check_expiry(text: str, what: str, advice: str) -> None:
    try:
        expires = parse_timestamp(text)
    except (ValueError, OverflowError, RuntimeError):
        raise _failed(f"{what} is not a time", f"{NOTHING_SENT}. Write it as 2026-12-31T23:59:59Z") from None
    expires = expires if expires.tzinfo is not None else expires.replace(tzinfo=UTC)
    if expires <= datetime.now(UTC):
        shown = expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise _failed(f"{what} is {shown}: the credentials have expired", f"{NOTHING_SENT}. First {advice}")


def _read_text(path: str, what: str, hint: str) -> str:
    """Read a file that each renewal reads again, so that it cannot be a pipe: waiting for one would hold up the run."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                raise _failed(f"The {what} file {path} is a pipe, not a regular file", hint)
            return file.read(CREDENTIAL_TEXT_MAX_BYTES).decode()
    except FileNotFoundError:
        raise _failed(f"The {what} file {path} does not exist", hint) from None
    except OSError as error:
        raise _failed(f"The {what} file {path} cannot be read: {error.strerror}", hint) from None
    except ValueError:
        raise _failed(f"The {what} file {path} is not text", hint) from None


def _failed(message: str, hint: str) -> CredentialsFailed:
    return CredentialsFailed(message, hint=hint, service_code="LocalCredentials")
