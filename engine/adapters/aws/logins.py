"""Logging in as a domain asks for: a profile's session, its credentials, and the role to assume.

Every client, those that the library makes for itself to assume a role included, gets the safe transport, one attempt a
call and our user agent.

Not here: which domains share a login (`sessions`), the refresh of credentials (`credentials`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from engine.adapters.aws.credential_sources import NOTHING_SENT, credential_resolver
from engine.adapters.aws.credentials import CredentialGate, GateTimes
from engine.adapters.aws.endpoints import check_endpoints
from engine.adapters.aws.service_loader import service_loader
from engine.adapters.aws.signing import CallersCredentials
from engine.adapters.aws.tls import authorities_named
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import CredentialsFailed
from engine.core.nearest import nearest
from engine.core.text import listed

if TYPE_CHECKING:
    from engine.adapters.aws.roles import Role
    from engine.adapters.aws.transport import SafeConfig
    from engine.core.redact import Redactor
    from engine.ports.cloud import Caller

_CALLER_OPERATION: Final = "GetCallerIdentity"
_PROFILES_SHOWN_MAX_COUNT: Final = 10
_HELD_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_HELD_HINT: Final = (
    ". This shell has its own credentials ({name}), and a domain's `profile` wins over them: to use them here, "
    "remove `profile` from the domain and set AWS_PROFILE where the profile exists"
)


class FleetSession(AioSession):  # type: ignore[misc]  # the library has no types
    """A session whose every client is safe and goes to the explicit endpoint, where one is given."""

    def __init__(
        self,
        profile: str | None,
        region: str,
        config: SafeConfig,
        endpoint_url: str | None,
        like: FleetSession | None = None,
    ) -> None:
        """Make one; `like` is another that has read the same files, which are not read again then."""
        super().__init__(profile=profile)
        if like is not None:
            self._config = like.full_config
        self.user_agent_extra = ""
        self.set_config_variable("region", region)
        # "auto" asks the metadata service for the region, and changes nothing that our configuration leaves open.
        self.set_config_variable("defaults_mode", "legacy")
        self._safe_config = config
        self._explicit_endpoint_url = endpoint_url
        self._credentials = CallersCredentials()  # of every client: `ProfileSource` has the profile's own

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


class ProfileSource:
    """The credentials of a session's profile: found when they are first asked for, then kept as the library does."""

    def __init__(self, session: FleetSession) -> None:
        self._session = session
        self._found: Any = None
        self.is_missing = False

    @property
    def method(self) -> str:
        """The library's name of where they come from."""
        return getattr(self._found, "method", "")

    def refresh_needed(self, seconds: float) -> bool:
        """Whether they cannot be used for so long; those that never expire always can."""
        needed = getattr(self._found, "refresh_needed", None)
        return needed is not None and needed(seconds)

    async def get_frozen_credentials(self) -> Any:
        """Return them. Raises CredentialsFailed where there are none, and what their source raises."""
        if self._found is None:
            self._found = await self._session.get_component("credential_provider").load_credentials()
            self.is_missing = self._found is None
        if self._found is None:
            raise CredentialsFailed("there are no credentials", operation=_CALLER_OPERATION)
        return await self._found.get_frozen_credentials()


@dataclass(frozen=True, slots=True)
class Profile:
    """An AWS profile, or the environment where a domain names none: a session to make clients, and its credentials."""

    session: FleetSession
    source: ProfileSource
    gate: CredentialGate


@dataclass(frozen=True, slots=True)
class Login:
    """Who calls: a profile itself, or the role that it assumes. `caller` is known where a role was assumed."""

    profile: Profile
    gate: CredentialGate
    role: Role | None = None

    @property
    def caller(self) -> Caller | None:
        """Who this is, where STS said so as it gave out the credentials."""
        return None if self.role is None else self.role.caller


def open_profile(
    domain: DesiredDomain,
    config: SafeConfig,
    endpoint_url: str | None,
    redactor: Redactor,
    times: GateTimes,
    like: Profile | None = None,
) -> Profile:
    """Read a domain's profile. Nothing is called yet. Raises what the library raises for a file that is broken."""
    known = None if like is None else like.session
    session = FleetSession(domain.profile, domain.region, config, endpoint_url, known)
    source = ProfileSource(session)
    return Profile(session, source, CredentialGate(source, redactor, times, whose(domain)))


async def log_in(profile: Profile, domain: DesiredDomain, endpoint_url: str | None) -> None:
    """See that the profile is there and has credentials. Raises CredentialsFailed, and UsageError for an endpoint."""
    session = profile.session
    _check_profile(session, domain)
    check_endpoints(endpoint_url, are_ignored=bool(session.get_config_variable("ignore_configured_endpoint_urls")))
    session.register_component("data_loader", service_loader(session.get_config_variable("data_path")))
    try:
        await profile.gate.get_frozen_credentials()
    except CredentialsFailed:
        if not profile.source.is_missing:
            raise
        named = f" for domain {domain.name} ({domain.source})" if domain.domain_id else ""
        own = "`profile` of the domain, " if domain.domain_id else ""
        raise CredentialsFailed(
            f"there are no credentials{named}",
            hint=f"Set {own}AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            operation=_CALLER_OPERATION,
        ) from None


def callers_own(region: str) -> DesiredDomain:
    """Return what stands for the caller's own credentials in a region. No domain of a fleet is without an id."""
    return DesiredDomain("", "", region, Source("", 0))


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
                operation=_CALLER_OPERATION,
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
        operation=_CALLER_OPERATION,
    )
