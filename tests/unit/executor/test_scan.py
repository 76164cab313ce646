"""Complete scans: whole, or an error; and by owner where that is cheaper."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.core.desired import AppSpec, DesiredDomain
from engine.core.errors import (
    AccessDenied,
    CloudError,
    OutcomeUnknown,
    Rejected,
    ScanIncomplete,
    Throttled,
    Unreachable,
)
from engine.core.identity import SPACE, Owner
from engine.core.settings import Backoff, Backoffs, Execution
from engine.executor.calls import LaneCalls, StoppedError
from engine.executor.control import Control
from engine.executor.link import Link
from engine.executor.outages import Outages
from engine.executor.reach import Reach
from engine.executor.scan import Scanner
from engine.ports.cloud import AppPage, AppRow
from engine.ports.events import DomainListFailed
from tests.fleets import LANE, SOURCE

if TYPE_CHECKING:
    from engine.ports.cloud import Cloud
    from engine.ports.events import Event

SHORT = Backoff(0.001, 0.002, 2.0, 0.05)
BACKOFFS = Backoffs(throttling=SHORT, transient=SHORT)


class FreePace:
    async def take(self) -> None:
        """Never wait."""

    def set_rate(self, calls_per_second: float) -> None:
        """Take any."""


class Pages:
    """A cloud that answers listings from a script; each entry is a page or an error."""

    def __init__(self, *answers: AppPage | CloudError) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[str, str]] = []

    async def list_apps(self, _domain: str, *, owner_kind: Any = None, owner: str = "", token: str = "") -> AppPage:
        assert (owner_kind is None) == (owner == "")
        self.asked.append((owner, token))
        answer = self.answers.popleft()
        if isinstance(answer, CloudError):
            raise answer
        return answer


def row(name: str, status: str = "InService", created_at: float = 1.0) -> AppRow:
    return AppRow(SPACE, name, "JupyterLab", "default", status, created_at, AppSpec(instance_type="ml.t3.medium"))


def page(*names: str, token: str = "") -> AppPage:
    return AppPage(tuple(row(name) for name in names), token)


def scanner(cloud: Pages, events: list[Event] | None = None, *, may_call: bool = True) -> Scanner:
    emit = (events if events is not None else []).append
    calls = LaneCalls(LANE, Execution(), FreePace(), FreePace(), emit)
    domain = DesiredDomain("research", "d-1", "eu-west-1", SOURCE)
    link = Link(domain, LANE, cast("Cloud", cloud))
    control, outages = Control(3600.0, lambda _: None), Outages(emit, lambda _: ())
    return Scanner(Reach(link, calls, control, BACKOFFS, lambda: 0.5, emit, lambda: may_call, outages))


async def test_all_pages_are_followed() -> None:
    """Row 30: the first page is never taken for the whole. Row 26."""
    cloud = Pages(page("a", token="1"), page(token="2"), page("b"))
    observed = await scanner(cloud).scan()
    assert {key.owner for key in observed.apps} == {"a", "b"}
    assert observed.scanned_whole
    assert cloud.asked == [("", ""), ("", "1"), ("", "2")]


async def test_an_app_on_two_pages_is_one_and_the_live_row_wins() -> None:
    """Rows 27 and 29."""
    cloud = Pages(
        AppPage((row("a", "Deleted", 9.0), row("b", "Pending", 1.0)), "1"),
        AppPage((row("a", "InService", 5.0), row("b", "InService", 1.0)), ""),
    )
    observed = await scanner(cloud).scan()
    assert {key.owner: app.status.value for key, app in observed.apps.items()} == {"a": "InService", "b": "InService"}


async def test_an_unknown_status_keeps_the_services_word() -> None:
    """Row 17."""
    observed = await scanner(Pages(AppPage((row("a", "Exploded"),), ""))).scan()
    (app,) = observed.apps.values()
    assert app.status_text == "Exploded"
    assert app.status.value == "unknown"


@pytest.mark.parametrize("error", [Throttled("slow"), OutcomeUnknown("garbage"), Unreachable("reset")])
async def test_a_page_that_fails_is_asked_again(error: CloudError) -> None:
    """Row 2: a throttled listing is asked again, and nothing else is slowed."""
    cloud = Pages(page("a", token="1"), error, page("b"))
    events: list[Event] = []
    observed = await scanner(cloud, events).scan()
    assert len(observed.apps) == 2
    assert "call.retried" in [event.name for event in events]


async def test_a_page_that_goes_on_failing_is_an_error_and_no_empty_domain() -> None:
    """Row 15: garbage is never read as no apps."""

    class Garbage(Pages):
        async def list_apps(self, *_: Any, **__: Any) -> AppPage:
            raise OutcomeUnknown("garbage")

    observed = await scanner(Garbage()).scan()
    assert isinstance(observed.error, OutcomeUnknown)
    assert observed.apps == {}


async def test_a_domain_that_may_not_be_listed_is_an_error_at_once() -> None:
    """Row 20: one denied domain is its own trouble."""
    cloud = Pages(AccessDenied("no", hint="Allow it"))
    events: list[Event] = []
    observed = await scanner(cloud, events).scan()
    assert isinstance(observed.error, AccessDenied)
    assert len(cloud.asked) == 1
    failed = events[-1]
    assert isinstance(failed, DomainListFailed)
    assert (failed.message, failed.hint) == ("no", "Allow it")


async def test_a_token_that_comes_twice_starts_the_scan_afresh() -> None:
    """Row 24: a cycle of tokens is noticed."""
    cloud = Pages(page("a", token="1"), page("b", token="2"), page("c", token="1"), page("a", "b", "c"))
    observed = await scanner(cloud).scan()
    assert len(observed.apps) == 3


async def test_a_scan_that_never_fits_together_is_an_error() -> None:
    cycle = [page("a", token="1"), page("b", token="1")]
    observed = await scanner(Pages(*cycle * 3)).scan()
    assert isinstance(observed.error, ScanIncomplete)
    assert "same NextToken twice in 3 scans" in observed.error.message


@pytest.mark.parametrize("refusal", [Rejected("token expired"), ScanIncomplete("token expired")])
async def test_a_token_that_the_service_has_forgotten_starts_the_scan_afresh(refusal: CloudError) -> None:
    """Row 25."""
    cloud = Pages(page("a", token="1"), refusal, page("a", "b"))
    observed = await scanner(cloud).scan()
    assert len(observed.apps) == 2
    assert (await scanner(Pages(Rejected("bad domain"))).scan()).error is not None


def owners(count: int) -> list[Owner]:
    return [Owner("research", SPACE, f"s{number}") for number in range(count)]


async def test_a_small_domain_is_listed_whole_even_for_some_owners() -> None:
    cloud = Pages(page("s0", "x"))
    observed = await scanner(cloud).scan(owners(8))
    assert observed.scanned_whole
    assert len(cloud.asked) == 1


async def test_a_large_domain_is_left_for_its_owners_after_a_short_trial() -> None:
    cloud = Pages(page("x", token="1"), page("y", token="2"), *[page(f"s{number}") for number in range(8)])
    observed = await scanner(cloud).scan(owners(8))
    assert not observed.scanned_whole
    assert {key.owner for key in observed.apps} == {f"s{number}" for number in range(8)}
    assert [owner for owner, _ in cloud.asked[2:]] == [f"s{number}" for number in range(8)]


async def test_a_domain_known_to_be_large_is_not_tried() -> None:
    cloud = Pages(*[page(f"s{number}") for number in range(3)])
    observed = await scanner(cloud).scan(owners(3), whole_pages=100)
    assert not observed.scanned_whole
    assert len(cloud.asked) == 3


async def test_a_stopped_run_asks_nothing() -> None:
    cloud = Pages(page("a"))
    with pytest.raises(StoppedError):
        await scanner(cloud, may_call=False).scan()
    assert cloud.asked == []


async def test_reads_take_turns() -> None:
    events: list[Event] = []
    calls = LaneCalls(LANE, Execution(), FreePace(), FreePace(), events.append)
    order: list[int] = []

    async def call(number: int) -> None:
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(calls.read("ListApps", lambda number=number: call(number), lambda: True))  # type: ignore[misc]
    assert order == [0, 1, 2, 3, 4]
    assert calls.counts["ListApps"]["ok"] == 5
