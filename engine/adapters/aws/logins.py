"""Logging in as a domain asks for: a profile's session, its credentials, the role to assume, and clients made from it.

Every client, those that the library makes for itself to assume a role included, gets the safe transport, one attempt a
call and our user agent.

Not here: which domains share a login (`sessions`), the refresh of credentials (`credentials`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from engine.adapters.aws.client_maker import client_maker
from engine.adapters.aws.credential_sources import NOTHING_SENT, credential_resolver
from engine.adapters.aws.credentials import CredentialGate, GateTimes
from engine.adapters.aws.endpoints import ENDPOINT_HINT, check_endpoint, check_endpoints
from engine.adapters.aws.service_loader import service_loader
from engine.adapters.aws.tls import authorities_named
from engine.adapters.aws.transport import SafeConfig, harden
from engine.core.desired import DesiredDomain
from engine.core.errors import CredentialsFailed, UsageError
from engine.core.nearest import nearest
from engine.core.redact import Redactor
from engine.core.text import listed

ROLE_SESSION_NAME: Final = "appfleet"

_PROFILES_SHOWN_MAX_COUNT: Final = 10
_HELD_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_HELD_HINT: Final = (
    ". This shell has credentials of its own ({name}), and a domain's `profile` wins over them: to use them here, "
    "remove `profile` from the domain and set AWS_PROFILE where the profile exists"
)


class FleetSession(AioSession):  # type: ignore[misc]  # the library has no types
    """A session whose every client is safe and goes to the explicit endpoint, where one is given."""

    def __init__(self, profile: str | None, region: str, config: SafeConfig, endpoint_url: str | None) -> None:
        super().__init__(profile=profile)
        self.user_agent_extra = ""
        self.set_config_variable("region", region)
        # "auto" asks the metadata service for the region, and changes nothing that our configuration leaves open.
        self.set_config_variable("defaults_mode", "legacy")
        self._safe_config = config
        self._explicit_endpoint_url = endpoint_url

    def _create_credential_resolver(self) -> Any:
        return credential_resolver(self, self._last_client_region_used)

    def create_client(self, *args: Any, **options: Any) -> Any:
        """Return the context of one client; also called by the library for the clients that credentials need."""
        given = options.get("config")
        config = self._safe_config if given is None else self._safe_config.merge(given)
        # The library reads these of the profile, and then forgets them.
        proxies: dict[str, str] = self.get_config_variable("proxies_config") or {}
        options["config"] = config.merge(AioConfig(proxies_config=proxies)) if proxies else config
        options["endpoint_url"] = options.get("endpoint_url") or self._explicit_endpoint_url
        options["verify"] = authorities_named(self.get_config_variable("ca_bundle"))
        return super().create_client(*args, **options)


class Login:
    """One profile and role: where its clients come from. Made by `Clouds`, closed with it."""

    def __init__(self, session: FleetSession, gate: CredentialGate) -> None:
        self.gate = gate
        self._session = session
        # The library asks the session for credentials whenever it makes a client; this is what it finds.
        session._credentials = gate  # noqa: SLF001 set_credentials takes strings alone
        self._make_client = client_maker(session)

    async def client(self, service: str, region: str, stack: AsyncExitStack) -> Any:
        """Open a client that lives as long as `stack`. Raises UsageError for an endpoint that is not safe."""
        try:
            client = await stack.enter_async_context(self._make_client(service, region_name=region))
        except BotoCoreError:  # some of them are a ValueError too
            raise
        except ValueError as error:
            raise UsageError(f"The endpoint for {service} is not valid: {error}", hint=ENDPOINT_HINT) from None
        check_endpoint(service, client.meta.endpoint_url)
        harden(client)
        return client


async def log_in(
    domain: DesiredDomain, config: SafeConfig, endpoint_url: str | None, redactor: Redactor, times: GateTimes
) -> Login:
    """Resolve the credentials of a profile, assume the role where there is one, and see that they are there."""
    session = FleetSession(domain.profile, domain.region, config, endpoint_url)
    _check_profile(session, domain)
    check_endpoints(endpoint_url, are_ignored=bool(session.get_config_variable("ignore_configured_endpoint_urls")))
    session.register_component("data_loader", service_loader(session.get_config_variable("data_path")))
    async with asyncio.timeout(times.attempt_max):
        source = await session.get_credentials()
    if source is None:
        raise CredentialsFailed(
            f"there are no credentials for domain {domain.name} ({domain.source})",
            hint="Set `profile` of the domain, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            operation="GetCallerIdentity",
        )
    gate = CredentialGate(source, redactor, times)
    await gate.get_frozen_credentials()
    if domain.role_arn:
        gate = CredentialGate(_assumed(session, gate, domain), redactor, times)
        await gate.get_frozen_credentials()
    return Login(session, gate)


def whose(domain: DesiredDomain) -> str:
    """Name the AWS profile that a domain's credentials come from, where there is one."""
    profile = domain.profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    return f"AWS profile {profile}" if profile else ""


def _check_profile(session: FleetSession, domain: DesiredDomain) -> None:
    """Raise CredentialsFailed, with the profiles that there are, for one that there is not."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if domain.profile is None and os.environ.get(name) == "":
            raise CredentialsFailed(
                f"{name} is set and empty, so no AWS profile can be used",
                hint=f"{NOTHING_SENT}. Unset it (unset {name}), or set it to a profile's name",
                operation="GetCallerIdentity",
            )
    wanted: str | None = session.get_config_variable("profile")
    known: list[str] = session.available_profiles
    if wanted is None or wanted in known:
        return
    guess = nearest(wanted, known)
    names = listed(sorted(known), _PROFILES_SHOWN_MAX_COUNT) or "none"
    where = f"domain {domain.name} ({domain.source})" if domain.profile else "AWS_PROFILE"
    held = next((name for name in _HELD_VARIABLES if os.environ.get(name)), "")
    raise CredentialsFailed(
        f"{where} names the AWS profile {wanted}, which does not exist",
        hint=f"{f'Did you mean {guess}? ' if guess else ''}Profiles that exist: {names}"
        + (_HELD_HINT.format(name=held) if held and domain.profile else ""),
        operation="GetCallerIdentity",
    )


def _assumed(session: FleetSession, source: CredentialGate, domain: DesiredDomain) -> Any:
    """Return credentials that assume the domain's role when they are first asked for, and before they expire."""

    def sts_client(service: str, **options: Any) -> Any:
        return session.create_client(service, region_name=domain.region, **options)

    fetcher = AioAssumeRoleCredentialFetcher(
        client_creator=sts_client,
        source_credentials=source,
        role_arn=domain.role_arn,
        extra_args={"RoleSessionName": ROLE_SESSION_NAME},
        cache={},
    )
    return AioDeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
