"""What an account is asked about its quotas: through the lane where SageMaker answers, and to the end or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.adapters.aws.account import AccountAppPage, AccountOwnerPage, DomainPage, QuotaPage
from engine.app.quotas import _Asking
from engine.core.desired import AppSpec
from engine.core.errors import NotFound, ScanIncomplete
from engine.core.identity import SPACE, USER, QuotaBucket
from engine.core.quota_fit import QuotaValue
from tests.fleets import LANE
from tests.unit.executor.test_owner_run import Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.adapters.aws.account import AccountCalls
    from engine.core.identity import OwnerKind
    from engine.executor.fleet_run import FleetRun

QUOTA = "Studio JupyterLab Apps running on ml.t3.medium instances"
MEDIUM = AppSpec("ml.t3.medium")
ON_PLAN = AppSpec("ml.t3.medium", training_plan_arn="arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5")
ROWS = (
    ("JupyterLab", MEDIUM, "InService"),
    ("JupyterLab", MEDIUM, "Deleted"),
    ("JupyterLab", ON_PLAN, "InService"),
)


class Account:
    """An account whose listings have five pages, or never end; or that does not know of the service's quotas."""

    def __init__(self, *, endless: bool = False, knows: bool = True) -> None:
        self.endless, self.knows = endless, knows
        self.asked = 0

    def _token(self, token: str) -> str:
        self.asked += 1
        if self.endless:
            return "again"
        return "" if token == "4" else str(int(token or "0") + 1)

    async def list_quotas(self, token: str = "", *, code: str = "") -> QuotaPage:
        if code == "L-0" or not self.knows:
            raise NotFound("no such quota", hint="", operation="ListServiceQuotas")
        if code:
            self.asked += 1
            return QuotaPage({QUOTA: QuotaValue(code, 4)}, "")
        return QuotaPage({QUOTA: QuotaValue("L-1", 4), "Something else": QuotaValue("L-2", 9)}, self._token(token))

    async def list_domains(self, token: str = "") -> DomainPage:
        return DomainPage((f"d-{token}",), self._token(token))

    async def list_apps(self, token: str = "") -> AccountAppPage:
        return AccountAppPage(ROWS, self._token(token))

    async def list_owners(self, kind: OwnerKind, token: str = "") -> AccountOwnerPage:
        return AccountOwnerPage(3 if kind == USER else 2, self._token(token))


ASKS: dict[str, Callable[[_Asking], Awaitable[Any]]] = {
    "ListServiceQuotas": lambda asking: asking.quotas(),
    "ListDomains": lambda asking: asking.domains(),
    "ListApps": lambda asking: asking.used(),
    "ListUserProfiles": lambda asking: asking.owners(USER),
    "ListSpaces": lambda asking: asking.owners(SPACE),
}
FOUND: dict[str, Any] = {
    "ListServiceQuotas": {QUOTA: QuotaValue("L-1", 4)},
    "ListDomains": {"d-", "d-1", "d-2", "d-3", "d-4"},
    "ListApps": {
        QuotaBucket(*LANE, "JupyterLab", "ml.t3.medium"): 5,
        QuotaBucket(*LANE, "", "", ON_PLAN.training_plan_arn or ""): 5,
    },
    "ListUserProfiles": 15,
    "ListSpaces": 10,
}


def asked(stage: Stage, account: Account, operation: str) -> Any:
    async def work(run: FleetRun) -> Any:
        given = cast("AccountCalls", account)
        return await ASKS[operation](_Asking(run.links["research"], run, given, lambda: None))

    return stage.do(work)


@pytest.mark.parametrize("operation", ASKS)
def test_every_page_takes_its_turn_and_is_counted_and_told(operation: str) -> None:
    stage = Stage()
    stage.settings = replace(stage.settings, execution=replace(stage.settings.execution, read_rate=0.1))
    assert asked(stage, Account(), operation) == FOUND[operation]
    assert stage.run is not None
    assert stage.run.calls()[operation] == {"ok": 5}
    assert [event.operation for event in stage.events if event.name == "call.answered"] == [operation] * 5
    assert stage.time >= 4 / 0.1  # five turns at a tenth of a call a second


@pytest.mark.parametrize("operation", ASKS)
def test_a_listing_that_repeats_itself_is_an_error_and_not_all_there_is(operation: str) -> None:
    stage, account = Stage(), Account(endless=True)
    with pytest.raises(ScanIncomplete, match=f"{operation} of all of .* could not be completed"):
        asked(stage, account, operation)
    assert account.asked == 2


def test_quotas_whose_codes_are_known_are_asked_for_by_them_and_one_that_is_missing_is_no_trouble() -> None:
    stage, account = Stage(), Account()

    async def work(run: FleetRun) -> Any:
        asking = _Asking(run.links["research"], run, cast("AccountCalls", account), lambda: None)
        return await asking.quotas(("L-0", "L-1"))

    assert stage.do(work) == {QUOTA: QuotaValue("L-1", 4)}
    assert account.asked == 1


def test_where_service_quotas_does_not_know_sagemaker_nothing_is_known() -> None:
    with pytest.raises(NotFound):
        asked(Stage(), Account(knows=False), "ListServiceQuotas")


def test_what_service_quotas_throttles_does_not_slow_the_reads_of_sagemaker() -> None:
    stage = Stage()

    async def work(run: FleetRun) -> tuple[Any, Any]:
        return run.account_reach("research").calls, run.reach("research").calls

    of_account, of_lane = stage.do(work)
    assert of_account is not of_lane
