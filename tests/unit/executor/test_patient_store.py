"""A store that is asked again while its trouble passes, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import AccessDenied, CloudError, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT, STATE_RETRY_SECONDS, STATE_TRIES_MAX_COUNT
from engine.executor.patient_store import PatientStore
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.looptime

SLOW = Throttled("SlowDown", operation="PutObject")
GONE = Unreachable("no connection", operation="PutObject")
UNKNOWN = OutcomeUnknown("InternalError", operation="PutObject")


class Store:
    """A store whose first answers are errors."""

    def __init__(self, *errors: Exception) -> None:
        self.left = list(errors)
        self.asked = 0

    async def get(self, name: str) -> Any:
        return self._answer(name)

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        assert (data, replaces) == (b"x", None)
        return self._answer(name)

    async def names(self, under: str) -> Any:
        return self._answer(under)

    def _answer(self, answer: str) -> str:
        self.asked += 1
        if self.left:
            raise self.left.pop(0)
        return answer


def put(store: PatientStore) -> Awaitable[str]:
    return store.put("a", b"x", replaces=None)


def get(store: PatientStore) -> Awaitable[Any]:
    return store.get("a")


def names(store: PatientStore) -> Awaitable[Any]:
    return store.names("a")


CALLS: tuple[Callable[[PatientStore], Awaitable[Any]], ...] = (get, names, put)


@pytest.mark.parametrize("call", CALLS)
async def test_trouble_that_passes_is_waited_out(call: Callable[[PatientStore], Awaitable[Any]]) -> None:
    store = Store(SLOW, GONE)
    assert await call(PatientStore(store)) == "a"
    assert asyncio.get_running_loop().time() == pytest.approx(3 * STATE_RETRY_SECONDS)


@pytest.mark.parametrize("call", CALLS)
async def test_trouble_that_stays_is_an_error_after_so_many_tries(
    call: Callable[[PatientStore], Awaitable[Any]],
) -> None:
    store = Store(*[SLOW] * 99)
    with pytest.raises(Throttled):
        await call(PatientStore(store))
    assert store.asked == STATE_TRIES_MAX_COUNT


async def test_a_read_is_repeated_after_an_answer_that_says_nothing_and_a_write_is_not() -> None:
    assert await get(PatientStore(Store(UNKNOWN))) == "a"
    store = Store(UNKNOWN)
    with pytest.raises(OutcomeUnknown):
        await put(PatientStore(store))
    assert store.asked == 1


@pytest.mark.parametrize("error", [AccessDenied("no", operation="PutObject"), WriteRefusedError("a")])
async def test_what_will_not_pass_is_not_asked_again(error: CloudError | WriteRefusedError) -> None:
    store = Store(error)
    with pytest.raises(type(error)):
        await put(PatientStore(store))
    assert store.asked == 1


async def test_so_many_requests_are_under_way_at_a_time() -> None:
    under_way = most = 0

    class Slow(Store):
        async def get(self, name: str) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(1.0)
            under_way -= 1
            return name

    store = PatientStore(Slow())
    await asyncio.gather(*(store.get("a") for _ in range(3 * CONNECT_PARALLEL_MAX_COUNT)))
    assert most == CONNECT_PARALLEL_MAX_COUNT
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)
