"""Who calls, and where: profiles, roles, endpoints and clients, one client for each (profile, role, region).

Clients are made before the workers start, since making one blocks the loop for a while. Several logins may be made at
once, one by one in each: the library resolves roles wrongly when two clients of one session are made at once.

Not here: the calls themselves (`sagemaker`), how a login is made (`logins`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final, Self

from engine.adapters.aws.account import AccountCalls
from engine.adapters.aws.credentials import GateTimes
from engine.adapters.aws.endpoints import BESIDE_SAGEMAKER, foreign_endpoint
from engine.adapters.aws.errors import credentials_failure, translate
from engine.adapters.aws.logins import Login, log_in, whose
from engine.adapters.aws.price_list import PriceCalls, endpoint_region
from engine.adapters.aws.sagemaker import SageMakerCloud
from engine.adapters.aws.transport import SafeSession, safe_config
from engine.core.desired import DesiredDomain
from engine.core.errors import CloudError, Rejected, ServiceModelError, UsageError, WrongAccountError
from engine.core.limits import CALL_TOTAL_MAX_SECONDS, CONNECT_MAX_SECONDS, READ_MAX_SECONDS
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
            hint="Correct `account`, `profile` or `role_arn` of the domain, or the credentials of this shell",
        )


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
        self._login_locks: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._cloud_locks: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._logins: dict[tuple[str | None, str | None], Login] = {}
        self._clouds: dict[tuple[str | None, str | None, str], SageMakerCloud] = {}

    async def __aenter__(self) -> Self:
        quiet_loggers()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._clouds.clear()
        self._logins.clear()
        await self._stack.aclose()

    async def connect(self, domain: DesiredDomain) -> SageMakerCloud:
        """Return the cloud that reaches a domain; domains with the same profile, role and region share one.

        Raises UsageError for an endpoint that cannot be used and CredentialsFailed for credentials that cannot be
        had; nothing but what getting credentials takes was called then.
        """
        key = (domain.profile, domain.role_arn, domain.region)
        async with self._cloud_locks[key]:
            if (cloud := self._clouds.get(key)) is None:
                cloud = self._clouds[key] = await self._open(domain)
            return cloud

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
            credentials=login.gate,
            redactor=self.redactor,
            call_total_max_seconds=self._call_total_max_seconds,
        )

    async def prices(self, domain: DesiredDomain) -> PriceCalls:
        """Return what reaches the Price List API about a domain's region. Raises as `connect` does, and CloudError."""
        login = await self._login(domain)
        with _raised_as(lambda error: translate("GetProducts", error, self.redactor)):
            pricing = await login.client("pricing", endpoint_region(domain.region), self._stack)
        return PriceCalls(
            pricing=pricing,
            credentials=login.gate,
            redactor=self.redactor,
            endpoint=foreign_endpoint(pricing.meta.endpoint_url),
            call_total_max_seconds=self._call_total_max_seconds,
        )

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
            sagemaker = await login.client("sagemaker", domain.region, self._stack)
            sts = await login.client("sts", domain.region, self._stack)
        urls = (sagemaker.meta.endpoint_url, sts.meta.endpoint_url)
        return SageMakerCloud(
            sagemaker=sagemaker,
            sts=sts,
            credentials=login.gate,
            redactor=self.redactor,
            endpoint=next((url for url in urls if foreign_endpoint(url)), ""),
            call_total_max_seconds=self._call_total_max_seconds,
            beside=partial(self._beside, login, domain.region),
        )

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
            sagemaker = await login.client("sagemaker", region, self._stack)
            return sagemaker, await login.client(other, region, self._stack)

    async def _login(self, domain: DesiredDomain) -> Login:
        key = (domain.profile, domain.role_arn)
        async with self._login_locks[key]:
            if (login := self._logins.get(key)) is None:
                with _raised_as(lambda error: credentials_failure(error, self.redactor, whose(domain))):
                    login = await log_in(domain, self._config, self._endpoint_url, self.redactor, self._gate_times)
                self._logins[key] = login
            return login


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
