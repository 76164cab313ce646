"""Who calls, and where: profiles, roles, endpoints and clients, one client for each (profile, role, region).

Clients are made one after the other before the workers start: making one blocks the loop for a while, and the library
resolves roles wrongly when two are made at once. Every client, those that the library makes for itself to assume a
role included, gets the safe transport, one attempt a call and our user agent.

Not here: the calls themselves (`sagemaker`), the refresh of credentials (`credentials`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader

from engine.adapters.account import AccountCalls
from engine.adapters.aws_errors import credentials_failure, translate
from engine.adapters.credential_sources import credential_resolver
from engine.adapters.credentials import CredentialGate, GateTimes
from engine.adapters.price_list import PriceCalls, endpoint_region
from engine.adapters.routes import is_safe_url, without_password
from engine.adapters.sagemaker import SageMakerCloud
from engine.adapters.transport import SafeConfig, SafeSession, harden, safe_config
from engine.core.errors import CloudError, CredentialsFailed, Rejected, UsageError, WrongAccountError
from engine.core.limits import CALL_TOTAL_MAX_SECONDS, CONNECT_MAX_SECONDS, READ_MAX_SECONDS
from engine.core.nearest import nearest
from engine.core.redact import Redactor
from engine.core.settings import Execution

if TYPE_CHECKING:
    from engine.core.desired import DesiredDomain
    from engine.ports.cloud import Caller

USER_AGENT: Final = f"appfleet/{version('appfleet')}"
ROLE_SESSION_NAME: Final = "appfleet"

_LOUD_LOGGERS: Final = ("botocore", "aiobotocore", "boto3", "aioboto3", "aiohttp", "urllib3")
_AWS_SUFFIXES: Final = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
)
_CONCURRENCY: Final = Execution().concurrency
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_STS")
_PROFILES_SHOWN_MAX_COUNT: Final = 10
_ENDPOINT_HINT: Final = (
    "Use https, or http to localhost; the endpoint comes from --endpoint-url, AWS_ENDPOINT_URL, "
    "AWS_ENDPOINT_URL_SAGEMAKER, AWS_ENDPOINT_URL_STS or the profile"
)


def quiet_loggers() -> None:
    """Keep the libraries' loggers at WARNING or above, whatever the level: their debug lines hold the session token.

    Each gets a handler that drops, so that nothing of theirs goes to stderr uncleaned where no log is set up.
    """
    for name in [*logging.root.manager.loggerDict, *_LOUD_LOGGERS]:
        top = name.split(".", 1)[0]
        if top not in _LOUD_LOGGERS:
            continue
        logger = logging.getLogger(name)
        if name == top or logger.level != logging.NOTSET:
            logger.setLevel(max(logger.level, logging.WARNING))
        if name == top and not logger.handlers:
            logger.addHandler(logging.NullHandler())


def verify_account(domain: DesiredDomain, caller: Caller) -> None:
    """Raise WrongAccountError when the fleet pins the domain's account and the caller is in another one."""
    if domain.account is not None and domain.account != caller.account:
        raise WrongAccountError(
            f"domain {domain.name} ({domain.source}) is in account {domain.account}, "
            f"and the credentials are of account {caller.account} ({caller.arn})",
            hint="Correct `account`, `profile` or `role_arn` of the domain, or the credentials of this shell",
        )


def foreign_endpoint(url: str) -> str:
    """Give an endpoint as it is shown in a plan's header, or nothing when it is AWS's own over https."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return "" if parts.scheme == "https" and host.endswith(_AWS_SUFFIXES) else url


@cache
def _service_models(data_path: str | None) -> Any:
    """Give the loader of service models, one a process: reading SageMaker's takes longer than making a client."""
    return create_loader(data_path)


class _FleetSession(AioSession):  # type: ignore[misc]  # the library has no types
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
        """Give the context of one client; also called by the library for the clients that credentials need."""
        given = options.get("config")
        config = self._safe_config if given is None else self._safe_config.merge(given)
        # The library reads these of the profile, and then forgets them.
        proxies: dict[str, str] = self.get_config_variable("proxies_config") or {}
        options["config"] = config.merge(AioConfig(proxies_config=proxies)) if proxies else config
        options["endpoint_url"] = options.get("endpoint_url") or self._explicit_endpoint_url
        return super().create_client(*args, **options)


class _Login:
    """One profile and role: where its clients come from. Made by `Clouds`, closed with it."""

    def __init__(self, session: _FleetSession, gate: CredentialGate) -> None:
        self.gate = gate
        self._session = session
        # The library asks the session for credentials whenever it makes a client; this is what it finds.
        session._credentials = gate  # noqa: SLF001 set_credentials takes strings alone
        self._aioboto3 = aioboto3.Session(botocore_session=session)

    async def client(self, service: str, region: str, stack: AsyncExitStack) -> Any:
        """Open a client that lives as long as `stack`. Raises UsageError for an endpoint that is not safe."""
        try:
            client = await stack.enter_async_context(self._aioboto3.client(service, region_name=region))
        except BotoCoreError:  # some of them are a ValueError too
            raise
        except ValueError as error:
            raise UsageError(f"the endpoint for {service} is not valid: {error}", hint=_ENDPOINT_HINT) from None
        if not is_safe_url(client.meta.endpoint_url):
            raise UsageError(
                f"the endpoint for {service} is {without_password(client.meta.endpoint_url)}: "
                "it has to be https, or http to this machine, without a user name, and a port has to be a number",
                hint=_ENDPOINT_HINT,
            )
        harden(client)
        return client


class Clouds:
    """All clients of one run, as an async context manager: `connect` each domain, use, leave.

    `concurrency` is the number of calls that may be in flight in one client. An explicit `endpoint_url` wins over the
    environment for every service. `redactor` learns each secret that is used; give it to the log as well.
    """

    def __init__(
        self,
        *,
        concurrency: int = _CONCURRENCY,
        endpoint_url: str | None = None,
        redactor: Redactor | None = None,
        session_class: type[SafeSession] = SafeSession,
        connect_max_seconds: float = CONNECT_MAX_SECONDS,
        read_max_seconds: float = READ_MAX_SECONDS,
        call_total_max_seconds: float = CALL_TOTAL_MAX_SECONDS,
        gate_times: GateTimes | None = None,
    ) -> None:
        self.redactor = redactor or Redactor()
        self._endpoint_url = endpoint_url or None
        self._config = safe_config(
            concurrency,
            user_agent=USER_AGENT,
            session_class=session_class,
            connect_max_seconds=connect_max_seconds,
            read_max_seconds=read_max_seconds,
        )
        self._call_total_max_seconds = call_total_max_seconds
        self._gate_times = gate_times or GateTimes()
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._logins: dict[tuple[str | None, str | None], _Login] = {}
        self._clouds: dict[tuple[str | None, str | None, str], SageMakerCloud] = {}

    async def __aenter__(self) -> Self:
        quiet_loggers()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._clouds.clear()
        self._logins.clear()
        await self._stack.aclose()

    async def connect(self, domain: DesiredDomain) -> SageMakerCloud:
        """Give the cloud that reaches a domain; domains with the same profile, role and region share one.

        Raises UsageError for an endpoint that cannot be used and CredentialsFailed for credentials that cannot be
        had; nothing but what getting credentials takes was called then.
        """
        key = (domain.profile, domain.role_arn, domain.region)
        async with self._lock:
            if (cloud := self._clouds.get(key)) is None:
                cloud = self._clouds[key] = await self._open(domain)
            return cloud

    async def account(self, domain: DesiredDomain) -> AccountCalls | None:
        """Give what reaches the quotas of a domain's account; None where they are of another world than SageMaker is.

        Raises as `connect` does.
        """
        login = await self._login(domain)
        sagemaker, quotas = await self._two_clients(login, "service-quotas", domain.region, "ListServiceQuotas")
        urls = (sagemaker.meta.endpoint_url, quotas.meta.endpoint_url)
        if bool(foreign_endpoint(urls[0])) != bool(foreign_endpoint(urls[1])):
            return None
        return AccountCalls(
            quotas=quotas,
            sagemaker=sagemaker,
            sts=None,
            credentials=login.gate,
            redactor=self.redactor,
            call_total_max_seconds=self._call_total_max_seconds,
        )

    async def prices(self, domain: DesiredDomain) -> PriceCalls:
        """Give what reaches the Price List API about a domain's region. Raises as `connect` does, and CloudError."""
        login = await self._login(domain)
        try:
            pricing = await login.client("pricing", endpoint_region(domain.region), self._stack)
        except (CloudError, UsageError):
            raise
        except Exception as error:  # noqa: BLE001 making a client reads files and resolves endpoints
            raise translate("GetProducts", error, self.redactor) from None
        return PriceCalls(
            pricing=pricing,
            credentials=login.gate,
            redactor=self.redactor,
            endpoint=foreign_endpoint(pricing.meta.endpoint_url),
            call_total_max_seconds=self._call_total_max_seconds,
        )

    async def _open(self, domain: DesiredDomain) -> SageMakerCloud:
        login = await self._login(domain)
        try:
            sagemaker = await login.client("sagemaker", domain.region, self._stack)
            sts = await login.client("sts", domain.region, self._stack)
        except (CloudError, UsageError):
            raise
        except Exception as error:  # noqa: BLE001 making a client reads files and resolves endpoints
            raise Rejected(
                f"the clients for domain {domain.name} ({domain.source}) could not be made: "
                f"{self.redactor.text(str(error)).rstrip('.')}",
                hint="Correct the AWS configuration or the region that the message names; nothing was called",
                service_code=type(error).__name__,
            ) from None
        urls = (sagemaker.meta.endpoint_url, sts.meta.endpoint_url)
        return SageMakerCloud(
            sagemaker=sagemaker,
            sts=sts,
            credentials=login.gate,
            redactor=self.redactor,
            endpoint=next((url for url in urls if foreign_endpoint(url)), ""),
            call_total_max_seconds=self._call_total_max_seconds,
            tagging=partial(self._tagging, login, domain.region),
        )

    async def _tagging(self, login: _Login, region: str) -> Any:
        """Open the client of the Tagging API. Raises CloudError, also where it is of another world than SageMaker."""
        sagemaker, tagging = await self._two_clients(login, "resourcegroupstaggingapi", region, "GetResources")
        urls = (sagemaker.meta.endpoint_url, tagging.meta.endpoint_url)
        if bool(foreign_endpoint(urls[0])) != bool(foreign_endpoint(urls[1])):
            raise Rejected(
                "GetResources was not sent: one of the endpoints of SageMaker and of the Tagging API is AWS's own, "
                "and the other is not",
                hint="Set AWS_ENDPOINT_URL for both, or AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API beside the other",
                operation="GetResources",
            )
        return tagging

    async def _two_clients(self, login: _Login, other: str, region: str, operation: str) -> tuple[Any, Any]:
        """Open a client for SageMaker and one for another service; what goes wrong is trouble of `operation`."""
        try:
            return (
                await login.client("sagemaker", region, self._stack),
                await login.client(other, region, self._stack),
            )
        except (CloudError, UsageError):
            raise
        except Exception as error:  # noqa: BLE001 making a client reads files and resolves endpoints
            raise translate(operation, error, self.redactor) from None

    async def _login(self, domain: DesiredDomain) -> _Login:
        key = (domain.profile, domain.role_arn)
        if (login := self._logins.get(key)) is None:
            try:
                login = await self._log_in(domain)
            except (CloudError, UsageError):
                raise
            except Exception as error:  # noqa: BLE001 sources run processes, read files and call services
                raise credentials_failure(error, self.redactor, _whose(domain)) from None
            self._logins[key] = login
        return login

    async def _log_in(self, domain: DesiredDomain) -> _Login:
        """Resolve the credentials of a profile, assume the role where there is one, and see that they are there."""
        _check_endpoints(self._endpoint_url)
        session = _FleetSession(domain.profile, domain.region, self._config, self._endpoint_url)
        _check_profile(session, domain)
        session.register_component("data_loader", _service_models(session.get_config_variable("data_path")))
        async with asyncio.timeout(self._gate_times.attempt_max):
            source = await session.get_credentials()
        if source is None:
            raise CredentialsFailed(
                f"there are no credentials for domain {domain.name} ({domain.source})",
                hint="Set `profile` of the domain, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                operation="GetCallerIdentity",
            )
        gate = CredentialGate(source, self.redactor, self._gate_times)
        await gate.get_frozen_credentials()
        if domain.role_arn:
            gate = CredentialGate(_assumed(session, gate, domain), self.redactor, self._gate_times)
            await gate.get_frozen_credentials()
        return _Login(session, gate)


def _check_endpoints(explicit: str | None) -> None:
    """Raise UsageError for an endpoint that credentials must not be sent to, before they are looked for."""
    given = {"--endpoint-url": explicit} if explicit else {name: os.environ.get(name) for name in _ENDPOINT_VARIABLES}
    for name, url in given.items():
        if url and not is_safe_url(url):
            raise UsageError(
                f"{name} is {without_password(url)}, which cannot be used: "
                "it has to be https, or http to this machine, without a user name, and a port has to be a number",
                hint=_ENDPOINT_HINT,
            )


def _whose(domain: DesiredDomain) -> str:
    profile = domain.profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    return f"AWS profile {profile}" if profile else ""


def _check_profile(session: _FleetSession, domain: DesiredDomain) -> None:
    """Raise CredentialsFailed, with the profiles that there are, for one that there is not."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if domain.profile is None and os.environ.get(name) == "":
            raise CredentialsFailed(
                f"{name} is set and empty, so no AWS profile can be used",
                hint=f"Nothing was sent. Unset it (unset {name}), or set it to a profile's name",
                operation="GetCallerIdentity",
            )
    wanted: str | None = session.get_config_variable("profile")
    known: list[str] = session.available_profiles
    if wanted is None or wanted in known:
        return
    guess = nearest(wanted, known)
    shown = ", ".join(sorted(known)[:_PROFILES_SHOWN_MAX_COUNT])
    rest = len(known) - _PROFILES_SHOWN_MAX_COUNT
    names = (shown + (f" and {rest} more" if rest > 0 else "")) if known else "none"
    where = f"domain {domain.name} ({domain.source})" if domain.profile else "AWS_PROFILE"
    raise CredentialsFailed(
        f"{where} names the AWS profile {wanted}, which does not exist",
        hint=f"{f'Did you mean {guess}? ' if guess else ''}Profiles that exist: {names}",
        operation="GetCallerIdentity",
    )


def _assumed(session: _FleetSession, source: CredentialGate, domain: DesiredDomain) -> Any:
    """Give credentials that assume the domain's role when they are first asked for, and before they expire."""

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
