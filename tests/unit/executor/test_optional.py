"""What a run can do without costs a bounded time, once, and is remembered as not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine.core.errors import AccessDenied, CloudError, OutcomeUnknown, Throttled, Unreachable
from engine.core.identity import Lane
from engine.core.limits import OPTIONAL_SERVICES_MAX_SECONDS, UNREADABLE_RETRY_MAX_SECONDS
from engine.core.settings import Backoffs
from engine.executor.asking import ask_again
from engine.executor.calls import StoppedError
from engine.executor.optional import OptionalServices

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime

HERE, THERE = Lane("111122223333", "eu-west-1"), Lane("111122223333", "us-east-1")


async def silence(_: Callable[[], None]) -> str:
    await asyncio.sleep(10_000)
    return "late"


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_silent_services_of_all_lanes_cost_one_bound_in_all() -> None:
    services = OptionalServices()
    said = "did not answer within 30 s"
    for operation in ("GetResources", "ListServiceQuotas"):
        for lane in (HERE, THERE):
            with pytest.raises(Unreachable, match=f"{operation} {said}"):
                await services.ask(operation, lane, silence)
            said = "was not called: other optional services"
    assert now() == pytest.approx(OPTIONAL_SERVICES_MAX_SECONDS)
    assert len(services.unread) == 4


async def test_one_that_only_ever_refused_is_not_called_silent() -> None:
    services = OptionalServices()

    async def throttled(_: Callable[[], None]) -> str:
        async def call() -> str:
            raise Throttled("Rate exceeded", hint="wait")

        return await ask_again("GetResources", call, Backoffs(), lambda: 0.5, lambda _: None)

    with pytest.raises(Unreachable) as caught:
        await services.ask("GetResources", HERE, throttled)
    assert "did not succeed within 30 s" in caught.value.message
    assert caught.value.message.endswith("The last attempt: Rate exceeded")
    assert caught.value.hint == "wait"
    assert now() == pytest.approx(OPTIONAL_SERVICES_MAX_SECONDS)


@pytest.mark.parametrize(
    ("unreadable", "seconds"), [(True, UNREADABLE_RETRY_MAX_SECONDS), (False, Backoffs().transient.give_up_after)]
)
async def test_a_read_that_a_stranger_answers_is_given_up_sooner_than_one_that_nobody_answers(
    unreadable: bool, seconds: float
) -> None:
    began_at, last_at = now(), 0.0

    async def call() -> str:
        nonlocal last_at
        before, last_at = last_at, now()
        assert before - began_at < seconds, "it was asked once more after its time"
        raise OutcomeUnknown("the answer is not JSON", unreadable=unreadable)

    with pytest.raises(OutcomeUnknown, match="not JSON"):
        await ask_again("ListApps", call, Backoffs(), lambda: 0.5, lambda _: None)
    assert seconds <= last_at - began_at < seconds + Backoffs().transient.max


async def test_one_that_failed_is_not_asked_again() -> None:
    services = OptionalServices()
    asked = 0

    async def denied(_: Callable[[], None]) -> str:
        nonlocal asked
        asked += 1
        raise AccessDenied("no", hint="allow it")

    raised: list[CloudError] = []
    for _ in range(3):
        with pytest.raises(AccessDenied, match="no") as caught:
            await services.ask("GetResources", HERE, denied)
        raised.append(caught.value)
    assert asked == 1
    assert len({id(error) for error in raised[1:]}) == 2, "each caller adds its own traceback to its own error"
    with pytest.raises(AccessDenied):
        await services.ask("GetResources", THERE, denied)
    assert asked == 2


async def test_answers_that_keep_coming_cost_nothing() -> None:
    services = OptionalServices()

    async def many_pages(arrived: Callable[[], None]) -> str:
        for _ in range(20):
            await asyncio.sleep(20)
            arrived()
        return "all"

    assert await services.ask("GetResources", HERE, many_pages) == "all"
    assert now() == pytest.approx(400)
    assert services.unread == {}
    with pytest.raises(Unreachable):
        await services.ask("ListServiceQuotas", HERE, silence)
    assert now() == pytest.approx(400 + OPTIONAL_SERVICES_MAX_SECONDS)


async def test_silence_after_some_pages_counts_from_the_last_one() -> None:
    services = OptionalServices()

    async def some(arrived: Callable[[], None]) -> str:
        await asyncio.sleep(20)
        arrived()
        return await silence(arrived)

    with pytest.raises(Unreachable):
        await services.ask("GetResources", HERE, some)
    assert now() == pytest.approx(20 + OPTIONAL_SERVICES_MAX_SECONDS)


async def test_a_stop_of_the_run_passes_and_is_no_failure() -> None:
    services = OptionalServices()

    async def stopped(_: Callable[[], None]) -> str:
        raise StoppedError

    with pytest.raises(StoppedError):
        await services.ask("GetResources", HERE, stopped)
    assert services.unread == {}


async def test_a_read_where_nobody_listens_is_given_up_within_its_own_bound() -> None:
    began_at = now()

    async def call() -> str:
        raise Unreachable("connection refused", nobody_listens=True)

    with pytest.raises(Unreachable, match="refused"):
        await ask_again("ListApps", call, Backoffs(refused_s=5.0), lambda: 0.5, lambda _: None)
    assert 5.0 <= now() - began_at < 5.0 + Backoffs().transient.max


async def test_silence_of_many_at_the_same_time_counts_once() -> None:
    """Ten lanes that wait together for three seconds have used up three, and not thirty."""
    services = OptionalServices()

    async def fails(_: Callable[[], None]) -> str:
        await asyncio.sleep(3)
        raise AccessDenied("no")

    lanes = [Lane(f"{number:012}", "eu-west-1") for number in range(10)]
    asked = (services.ask("GetResources", lane, fails) for lane in lanes)
    assert all(isinstance(error, AccessDenied) for error in await asyncio.gather(*asked, return_exceptions=True))
    with pytest.raises(Unreachable):
        await services.ask("ListServiceQuotas", HERE, silence)
    assert now() == pytest.approx(OPTIONAL_SERVICES_MAX_SECONDS)


async def test_two_whose_time_is_up_at_the_same_moment_are_both_not_read() -> None:
    """The first one to notice leaves the time of the other as it is: that one is over as well."""
    services = OptionalServices()
    asked = (services.ask("GetResources", lane, silence) for lane in (HERE, THERE))
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in errors] == [Unreachable, Unreachable]
    assert all("did not answer within 30 s" in str(error) for error in errors)
    assert services.unread.keys() == {("GetResources", HERE), ("GetResources", THERE)}
    assert now() == pytest.approx(OPTIONAL_SERVICES_MAX_SECONDS)


async def test_who_came_later_waits_no_longer_than_the_run_does() -> None:
    """Silent times that overlap, however they begin and end, are one bound in all."""
    services = OptionalServices()

    async def ask(lane: Lane, begins: float, lasts: float) -> None:
        await asyncio.sleep(begins)

        async def fails(_: Callable[[], None]) -> str:
            await asyncio.sleep(lasts)
            raise AccessDenied("no")

        with pytest.raises(CloudError):
            await services.ask("GetResources", lane, fails)

    lanes = [Lane(f"{number:012}", "eu-west-1") for number in range(6)]
    times = [(0.0, 4.0), (1.0, 1.0), (6.0, 2.0), (5.0, 5.0), (0.0, 12.0), (20.0, 1_000.0)]
    await asyncio.gather(*(ask(lane, *time) for lane, time in zip(lanes, times, strict=True)))
    # Silent from 0 to 12, and then from 20 for the 18 seconds that are left.
    assert now() == pytest.approx(38.0)


async def test_a_silence_that_began_before_another_s_end_is_cut_with_it() -> None:
    services = OptionalServices()

    async def later() -> None:
        await asyncio.sleep(10)
        await services.ask("ListServiceQuotas", THERE, silence)

    errors = await asyncio.gather(services.ask("GetResources", HERE, silence), later(), return_exceptions=True)
    assert all(isinstance(error, Unreachable) for error in errors)
    assert now() == pytest.approx(OPTIONAL_SERVICES_MAX_SECONDS)
