"""Who calls, and where: a login for each (profile, role), clients for each region that all of them share.

Clients are made before the workers start, since making one blocks the loop for a while. Many logins may be made at
once, each of them once; the library resolves the roles of a profile wrongly when two ask at the same time.

Not here: the calls themselves (`sagemaker`), how a login is made (`logins`), clients (`clients`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final, Self

from engine.adapters.aws.account import AccountCalls
from engine.adapters.aws.clients import Clients, Once
from engine.adapters.aws.credentials import CredentialGate, GateTimes
from engine.adapters.aws.endpoints import BESIDE_SAGEMAKER, foreign_endpoint
from engine.adapters.aws.errors import credentials_failure, translate
from engine.adapters.aws.logins import Login, Profile, callers_own, log_in, open_profile, whose
from engine.adapters.aws.objects import S3Objects
from engine.adapters.aws.organization import DomainCalls, OrganizationCalls, organization_region
from engine.adapters.aws.price_list import PriceCalls, endpoint_region
from engine.adapters.aws.roles import Role, RoleDesk
from engine.adapters.aws.sagemaker import SageMakerCloud
from engine.adapters.aws.topics import Topic
from engine.adapters.aws.transport import SafeSession, safe_config
from engine.core.desired import DesiredDomain
from engine.core.errors import CloudError, Rejected, ServiceModelError, UsageError, WrongAccountError
from engine.core.limits import (
    CALL_TOTAL_MAX_SECONDS,
    CALLS_AT_ONCE_MAX_COUNT,
    CONNECT_MAX_SECONDS,
    CONNECT_PARALLEL_MAX_COUNT,
    READ_MAX_SECONDS,
)
from engine.core.redact import Redactor
from engine.core.settings import Execution
from engine.ports.cloud import Caller

USER_AGENT: Final = f"appfleet/{version('appfleet')}"

_LOUD_LOGGERS: Final = ("botocore", "aiobotocore", "boto3", "aioboto3", "aiohttp", "urllib3")
_CONCURRENCY: Final = Execution().concurrency


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
            hint="Correct account, profile or role_arn of the domain, or the credentials of this shell",
        )


class Clouds:
    """All clients of one run, as an async context manager: `connect` each domain, use, leave.

    `concurrency` is the number of calls that one account and region may have in flight; `calls_at_once` the number of
    all of a region, where it is larger. An explicit `endpoint_url` wins over the environment for every service.
    `redactor` learns each secret that is used; give it to the log as well.
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
        calls_at_once: int = CALLS_AT_ONCE_MAX_COUNT,
    ) -> None:
        self.redactor = redactor or Redactor()
        self._endpoint_url = endpoint_url or None
        self._config = safe_config(
            max(concurrency, calls_at_once) + CONNECT_PARALLEL_MAX_COUNT,
            user_agent=USER_AGENT,
            session_class=session_class,
            connect_max_seconds=connect_max_seconds,
            read_max_seconds=read_max_seconds,
        )
        self._call_total_max_seconds = call_total_max_seconds
        self._gate_times = gate_times or GateTimes()
        self._stack = AsyncExitStack()
        self._clients = Clients(self._stack)
        self._profiles: dict[str | None, Profile] = {}
        self._desks: dict[int, RoleDesk] = {}
        self._logins: Once[Login] = Once()
        self._clouds: Once[SageMakerCloud] = Once()

    async def __aenter__(self) -> Self:
        quiet_loggers()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._clouds.clear()
        self._logins.clear()
        self._profiles.clear()
        await self._stack.aclose()

    async def connect(self, domain: DesiredDomain) -> SageMakerCloud:
        """Return the cloud that reaches a domain; domains with the same profile, role and region share one.

        Raises UsageError for an endpoint that cannot be used and CredentialsFailed for credentials that cannot be
        had; nothing but what getting credentials takes was called then.
        """
        key = (domain.profile, domain.role_arn, domain.external_id, domain.region)
        return await self._clouds.get(key, lambda: self._open(domain))

    async def account(self, domain: DesiredDomain) -> AccountCalls | None:
        """Return what reaches the quotas of a domain's account; None where they are of another world than SageMaker is.

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
            **self._common(login),
        )

    async def prices(self, domain: DesiredDomain) -> PriceCalls:
        """Return what reaches the Price List API about a domain's region. Raises as `connect` does, and CloudError."""
        login = await self._login(domain)
        with _raised_as(lambda error: translate("GetProducts", error, self.redactor)):
            region = endpoint_region(domain.region)
            pricing = await self._clients.open(login.profile.session, "pricing", region)
        return PriceCalls(
            pricing=pricing,
            endpoint=foreign_endpoint(pricing.meta.endpoint_url),
            **self._common(login),
        )

    async def organization(self, domain: DesiredDomain) -> OrganizationCalls:
        """Return what reaches the organization of a domain's login. Raises as `connect` does, and CloudError."""
        login = await self._login(domain)
        with _raised_as(lambda error: translate("ListAccounts", error, self.redactor)):
            region = organization_region(domain.region)
            client = await self._clients.open(login.profile.session, "organizations", region)
        return OrganizationCalls(organizations=client, **self._common(login))

    async def domains(self, domain: DesiredDomain) -> DomainCalls:
        """Return what lists the domains of a login's account in a region. Raises as `connect` does, and CloudError."""
        login = await self._login(domain)
        with _raised_as(lambda error: translate("ListDomains", error, self.redactor)):
            client = await self._clients.open(login.profile.session, "sagemaker", domain.region)
        return DomainCalls(sagemaker=client, sts=None, **self._common(login))

    async def objects(self, domain: DesiredDomain, bucket: str, prefix: str) -> S3Objects:
        """Return what reaches the objects of a bucket, as the login of `domain` and in its region.

        Raises as `connect` does, and CloudError.
        """
        login = await self._login(domain)
        with _raised_as(lambda error: translate("GetObject", error, self.redactor)):
            s3 = await self._clients.open(login.profile.session, "s3", domain.region)
        return S3Objects(
            s3=s3,
            bucket=bucket,
            prefix=prefix,
            endpoint=foreign_endpoint(s3.meta.endpoint_url),
            **self._common(login),
        )

    async def own_objects(self, region: str, bucket: str, prefix: str) -> S3Objects:
        """Return what reaches the objects of a bucket as the caller's own credentials. Raises as `objects` does."""
        return await self.objects(callers_own(region), bucket, prefix)

    async def topic(self, arn: str) -> Topic:
        """Return what publishes to an SNS topic, as the caller's own credentials. Raises as `objects` does."""
        own = callers_own(arn.split(":")[3])
        login = await self._login(own)
        with _raised_as(lambda error: translate("Publish", error, self.redactor)):
            sns = await self._clients.open(login.profile.session, "sns", own.region)
        return Topic(sns=sns, arn=arn, **self._common(login))

    async def _open(self, domain: DesiredDomain) -> SageMakerCloud:
        login = await self._login(domain)

        def refused(error: Exception) -> Rejected:
            return Rejected(
                f"the clients for domain {domain.name} ({domain.source}) could not be made: "
                f"{self.redactor.text(str(error)).rstrip('.')}",
                hint="Correct the AWS configuration or the region that the message names; nothing was called",
                service_code=type(error).__name__,
            )

        with _raised_as(refused):
            sagemaker = await self._clients.open(login.profile.session, "sagemaker", domain.region)
            sts = await self._clients.open(login.profile.session, "sts", domain.region)
        urls = (sagemaker.meta.endpoint_url, sts.meta.endpoint_url)
        return SageMakerCloud(
            sagemaker=sagemaker,
            sts=sts,
            known_caller=login.caller,
            asks_as=(domain.profile, domain.role_arn, sts.meta.endpoint_url),
            endpoint=next((url for url in urls if foreign_endpoint(url)), ""),
            beside=partial(self._beside, login, domain.region),
            **self._common(login),
        )

    def _common(self, login: Login) -> dict[str, Any]:
        """Return what all calls of a login are made with."""
        return {
            "credentials": login.gate,
            "redactor": self.redactor,
            "call_total_max_seconds": self._call_total_max_seconds,
        }

    async def _beside(self, login: Login, region: str, service: str, operation: str) -> Any:
        """Open a service's client for `operation`. Raises CloudError, also where it is of another world than SageMaker.

        The library names each service; what its users call it, and its variable, are in the table of endpoints.
        """
        try:
            sagemaker, other = await self._two_clients(login, service, region, operation)
        except ServiceModelError as error:  # what a run does beside its apps does not end it
            raise translate(operation, error, self.redactor) from None
        urls = (sagemaker.meta.endpoint_url, other.meta.endpoint_url)
        if bool(foreign_endpoint(urls[0])) != bool(foreign_endpoint(urls[1])):
            named, variable = BESIDE_SAGEMAKER[service]
            raise Rejected(
                f"Cannot send {operation}: one of the endpoints of SageMaker and of {named} is AWS's own, "
                "and the other is not",
                hint=f"Set AWS_ENDPOINT_URL for both, or {variable} beside the other",
                operation=operation,
            )
        return other

    async def _two_clients(self, login: Login, other: str, region: str, operation: str) -> tuple[Any, Any]:
        """Open a client for SageMaker and one for another service; what goes wrong is trouble of `operation`."""
        with _raised_as(lambda error: translate(operation, error, self.redactor)):
            session = login.profile.session
            sagemaker = await self._clients.open(session, "sagemaker", region)
            return sagemaker, await self._clients.open(session, other, region)

    async def _login(self, domain: DesiredDomain) -> Login:
        key = (domain.profile, domain.role_arn, domain.external_id)
        with _raised_as(lambda error: credentials_failure(error, self.redactor, whose(domain))):
            return await self._logins.get(key, lambda: self._log_in(domain))

    async def _log_in(self, domain: DesiredDomain) -> Login:
        if (profile := self._profiles.get(domain.profile)) is None:
            read = next(iter(self._profiles.values()), None)
            profile = open_profile(domain, self._config, self._endpoint_url, self.redactor, self._gate_times, read)
            self._profiles[domain.profile] = profile
        await log_in(profile, domain, self._endpoint_url)
        if domain.role_arn is None:
            return Login(profile, profile.gate)
        role = Role(await self._desk(profile, domain.region), profile.gate, domain.role_arn, domain.external_id)
        gate = CredentialGate(role.credentials(), self.redactor, self._gate_times)
        await gate.get_frozen_credentials()
        return Login(profile, gate, role)

    async def _desk(self, profile: Profile, region: str) -> RoleDesk:
        """Return the desk of the client that assumes roles for a profile in a region."""
        sts = await self._clients.open(profile.session, "sts", region)
        return self._desks.setdefault(id(sts), RoleDesk(sts, self._gate_times))


@contextmanager
def _raised_as(named: Callable[[Exception], CloudError]) -> Iterator[None]:
    """Raise anything that is not an error of ours yet as what `named` makes of it.

    Logging in and making clients run processes, read files, call services and resolve endpoints.
    """
    try:
        yield
    except (CloudError, UsageError):
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise named(error) from None
