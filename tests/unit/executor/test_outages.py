"""An endpoint that nobody can connect to is said once, with the domains that need it, and not by each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import Unreachable
from engine.core.limits import DOMAINS_NAMED_MAX_COUNT
from engine.executor.outages import Outages
from engine.ports.events import CallRetried, DomainListed, EndpointUnreachable
from tests.unit.executor.test_looking_at_lanes import NAMES, Many

if TYPE_CHECKING:
    from engine.executor.fleet_run import FleetRun

WHERE = "Cannot connect to https://sagemaker.nowhere.invalid (no answer in time)"


def retried(message: str = WHERE, attempt: int = 1) -> CallRetried:
    return CallRetried("ListApps", attempt, 1.0, "ConnectTimeoutError", message)


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def outages(events: list[Any]) -> Outages:
    return Outages(events.append, lambda _: ["a", "b", "c"])


def test_the_first_attempt_says_who_needs_the_endpoint(outages: Outages, events: list[Any]) -> None:
    for domain in ("b", "a", "c"):
        outages.met(domain, Unreachable(WHERE))
        outages.tell(domain, retried())
    outages.tell("b", retried(attempt=2))
    outages.tell("c", retried(attempt=2))
    assert events == [EndpointUnreachable(WHERE, ("a", "b", "c"), 3), retried(), retried(attempt=2)]


def test_of_very_many_domains_the_first_are_named_and_all_are_counted(events: list[Any]) -> None:
    outages = Outages(events.append, lambda _: NAMES)
    outages.met("d001", Unreachable(WHERE))
    outages.tell("d001", retried())
    assert events[0] == EndpointUnreachable(WHERE, tuple(NAMES[:DOMAINS_NAMED_MAX_COUNT]), len(NAMES))


def test_other_events_and_other_trouble_are_told_as_ever(outages: Outages, events: list[Any]) -> None:
    listed, throttled = DomainListed("a", 1, 1, 0.1), retried("Rate exceeded")
    outages.met("a", Unreachable(WHERE))
    for event in (listed, throttled, throttled):
        outages.tell("b", event)
    assert events == [listed, throttled, throttled]


def test_after_an_answer_the_next_outage_is_said_again(outages: Outages, events: list[Any]) -> None:
    outages.answered("a")
    outages.met("a", Unreachable(WHERE))
    outages.tell("a", retried())
    outages.answered("b")
    outages.tell("b", retried())
    assert len(events) == 2, "the answer of another domain does not end it"
    outages.answered("a")
    outages.met("b", Unreachable(WHERE))
    outages.tell("b", retried())
    assert [event.name for event in events] == ["lane.endpoint_unreachable", "call.retried"] * 2


def test_a_run_of_many_lanes_says_once_that_nobody_answers() -> None:
    many = Many()
    many.refuses = True

    async def listing(run: FleetRun) -> Any:
        return await run.observe(dict.fromkeys(NAMES))

    observed = many.do(listing)
    assert all(isinstance(domain.error, Unreachable) for domain in observed.domains.values())
    told = [event for _, event in many.events if event.name == "lane.endpoint_unreachable"]
    assert [event.count for event in told] == [len(NAMES)]
    retries = [event for _, event in many.events if event.name == "call.retried"]
    assert [event.attempt for event in retries] == list(range(1, len(retries) + 1)), "one domain's attempts alone"
    assert many.events[0][0] == pytest.approx(many.refused_after_s), "after one attempt"
