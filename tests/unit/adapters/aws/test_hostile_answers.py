"""No answer that is not the service's own is ever read as a success, and none leads a secret anywhere."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.aws.transport import CappedResponse, SafeSession
from engine.core.errors import AlreadyGone, CloudError, OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT
from engine.core.text import is_safe
from engine.executor.fresh import READ_TOO_OLD
from engine.ports.leaving import checked_before_leaving
from tests.unit.adapters.aws.conftest import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN
from tests.unit.adapters.aws.corpus import FOR_ALL, FOR_CREATES, FOR_LISTS, FOR_TAGS
from tests.unit.adapters.aws.hostile import (
    APP,
    ARN,
    DOMAIN_ID,
    SPEC,
    Request,
    cloud_at,
    error,
    free_port,
    hostile,
    http,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.adapters.aws.sagemaker import SageMakerCloud

SECRETS = (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)


async def _create(cloud: SageMakerCloud) -> Any:
    return await cloud.create_app(APP, SPEC, ())


async def _list(cloud: SageMakerCloud) -> Any:
    return await cloud.list_apps(DOMAIN_ID)


async def _delete(cloud: SageMakerCloud) -> Any:
    return await cloud.delete_app(APP)


async def _describe(cloud: SageMakerCloud) -> Any:
    return await cloud.describe_app(APP)


async def _tags(cloud: SageMakerCloud) -> Any:
    return await cloud.list_tags(ARN)


async def _caller(cloud: SageMakerCloud) -> Any:
    return await cloud.caller()


CALLS: tuple[Callable[[SageMakerCloud], Awaitable[Any]], ...] = (_create, _list, _delete, _describe, _tags, _caller)


@pytest.mark.parametrize("answer", FOR_ALL.values(), ids=FOR_ALL.keys())
async def test_no_call_reads_it_as_a_success(answer: bytes) -> None:
    """Row 16."""
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        for call in CALLS:
            with pytest.raises(CloudError) as caught:
                await call(cloud)
            assert is_safe(str(caught.value))
            assert caught.value.hint
        assert len(server.requests) == len(CALLS), "nothing is sent twice"


async def test_a_request_that_rests_on_an_old_look_does_not_leave_though_its_connection_is_there() -> None:
    """The connection is kept, and the next request uses it."""
    asked: list[int] = []

    def refuse() -> None:
        asked.append(len(server.requests))
        raise READ_TOO_OLD

    async with hostile(http(b"{}", 200)) as server, cloud_at(server.url) as cloud:
        with checked_before_leaving(refuse), pytest.raises(Unreachable, match="between the look and the change"):
            await _delete(cloud)
        assert (asked, server.requests) == ([0], [])
        await _delete(cloud)
        assert len(server.requests) == 1


async def test_a_request_whose_look_becomes_old_before_its_bytes_are_written_does_not_leave() -> None:
    """The process may be stopped between the turn of the loop that has the connection and the one that writes."""
    asked = 0

    def old_by_then() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise READ_TOO_OLD

    async with hostile(http(b"{}", 200)) as server, cloud_at(server.url) as cloud:
        with checked_before_leaving(old_by_then), pytest.raises(Unreachable, match="between the look and the change"):
            await _delete(cloud)
        assert (asked, server.requests) == (2, [])
        await _delete(cloud)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 300, 301, 302, 304, 500, 503])
async def test_a_create_whose_answer_says_nothing_is_unknown(status: int) -> None:
    async with hostile(http(b"", status)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown):
            await _create(cloud)


@pytest.mark.parametrize("body", FOR_LISTS.values(), ids=FOR_LISTS.keys())
async def test_a_listing_that_is_none_is_never_an_empty_one(body: bytes) -> None:
    """Row 16."""
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown):
            await _list(cloud)


@pytest.mark.parametrize("body", FOR_CREATES.values(), ids=FOR_CREATES.keys())
async def test_a_create_without_an_arn_is_unknown(body: bytes) -> None:
    """Row 15."""
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown, match="CreateApp may or may not have been carried out"):
            await _create(cloud)


@pytest.mark.parametrize("body", FOR_TAGS.values(), ids=FOR_TAGS.keys())
async def test_tags_that_are_none_are_never_an_empty_list(body: bytes) -> None:
    async with hostile(http(body)) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown):
            await _tags(cloud)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """Neither the token nor the body reaches the machine that a redirect names. Row 53."""
    async with hostile(http(b'{"AppArn":"arn:stolen"}')) as thief:
        moved = http(b"", status, f"Location: {thief.url}/")
        async with hostile(moved) as server, cloud_at(server.url) as cloud:
            for call in CALLS:
                with pytest.raises(CloudError) as caught:
                    await call(cloud)
                assert not isinstance(caught.value, AlreadyGone)
        assert thief.requests == []
        assert thief.connections == 0


async def test_a_cookie_is_not_sent_back() -> None:
    answer = http(b'{"Apps":[]}', 200, "Set-Cookie: tracker=1; Path=/")
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        await _list(cloud)
        await _list(cloud)
        assert len(server.requests) == 2
        assert all("cookie" not in request.headers for request in server.requests)


class _SmallResponse(CappedResponse):
    max_bytes = 50_000


class _HastySession(SafeSession):
    request_total_max_seconds = 0.2
    response_class = _SmallResponse


@pytest.mark.parametrize("has_length", [True, False])
async def test_an_endless_answer_is_cut(has_length: bool) -> None:
    """300 MB are on offer; the connection is closed soon after the cap of the answer. Row 53."""
    sent = 0

    async def pour(request: Request) -> None:
        nonlocal sent
        length = "Content-Length: 300000000\r\n" if has_length else ""
        request.writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(300):
            request.writer.write(b" " * 1_000_000)
            await request.writer.drain()
            sent += 1_000_000

    class Session(SafeSession):
        response_class = _SmallResponse

    async with hostile(pour) as server, cloud_at(server.url, session_class=Session) as cloud:
        with pytest.raises(OutcomeUnknown, match="larger than 50000 bytes"):
            await _list(cloud)
    assert sent < 50_000_000


async def test_a_drip_ends_with_the_request_s_whole_time() -> None:
    """Each byte comes within the read time-out, so that alone would never end it."""

    async def drip(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            request.writer.write(b" ")
            await request.writer.drain()
            await asyncio.sleep(0.02)

    async with hostile(drip) as server, cloud_at(server.url, session_class=_HastySession) as cloud:
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await _create(cloud)


async def test_a_drip_ends_with_the_call_s_whole_time() -> None:
    async def hang(_: Request) -> None:
        await asyncio.sleep(60)

    async with hostile(hang) as server, cloud_at(server.url, call_total_max_seconds=0.1) as cloud:
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await _create(cloud)


async def test_silence_ends_with_the_read_time_out() -> None:
    """Row 13."""

    async def hang(_: Request) -> None:
        await asyncio.sleep(60)

    async with hostile(hang) as server, cloud_at(server.url, read_max_seconds=0.1) as cloud:
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await _create(cloud)


async def test_a_full_pool_is_waited_for_in_bounded_time_and_sends_nothing() -> None:
    release = asyncio.Event()
    pool = 1 + CONNECT_PARALLEL_MAX_COUNT + 4

    async def wait(_: Request) -> bytes:
        await release.wait()
        return http(b'{"Apps":[]}')

    few = {"concurrency": 1, "calls_at_once": 1, "connect_max_seconds": 2.0}
    async with hostile(wait) as server, cloud_at(server.url, **few) as cloud:
        async with asyncio.TaskGroup() as group:
            held = [group.create_task(_list(cloud)) for _ in range(pool)]
            await server.arrived(pool)
            with pytest.raises(Unreachable):
                await _create(cloud)
            release.set()
        assert [task.result().rows for task in held] == [()] * pool
        assert len(server.requests) == pool


async def test_the_pool_holds_a_connection_for_each_worker() -> None:
    release = asyncio.Event()

    async def wait(_: Request) -> bytes:
        if len(server.requests) == 30:
            release.set()
        await release.wait()
        return http(b'{"Apps":[]}')

    async with hostile(wait) as server, cloud_at(server.url, concurrency=30) as cloud:
        pages = await asyncio.gather(*(_list(cloud) for _ in range(30)))
    assert len(pages) == 30


async def test_a_reset_after_the_whole_request_is_unknown() -> None:
    """The library calls it "could not connect", and the server has read every byte of it. Row 11."""

    async def slam(request: Request) -> None:
        reset(request.writer)

    async with hostile(slam) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown):
            await _create(cloud)
        assert [request.operation for request in server.requests] == ["CreateApp"]


async def test_a_reset_of_a_connection_that_was_used_before_is_unknown_and_not_sent_again() -> None:
    async def second_time_slam(request: Request) -> bytes | None:
        if len(server.requests) == 1:
            return http(b'{"Apps":[]}')
        reset(request.writer)
        return None

    async with hostile(second_time_slam) as server, cloud_at(server.url) as cloud:
        await _list(cloud)
        with pytest.raises(OutcomeUnknown):
            await _create(cloud)
        assert len(server.requests) == 2


async def test_a_connection_that_ends_in_the_middle_is_unknown() -> None:
    async def half(request: Request) -> None:
        request.writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"AppArn":')

    async with hostile(half) as server, cloud_at(server.url) as cloud:
        with pytest.raises(OutcomeUnknown):
            await _create(cloud)


async def test_a_closed_port_is_unreachable() -> None:
    """Row 12."""
    async with cloud_at(f"http://127.0.0.1:{free_port()}") as cloud:
        for call in CALLS:
            with pytest.raises(Unreachable, match=r"^Cannot connect to http"):
                await call(cloud)


async def test_a_cancelled_call_is_a_cancellation() -> None:
    async def hang(_: Request) -> None:
        await asyncio.sleep(60)

    async with hostile(hang) as server, cloud_at(server.url) as cloud:
        task = asyncio.create_task(_create(cloud))
        await server.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_call_is_sent_once_whatever_the_environment_asks_for() -> None:
    """AWS_MAX_ATTEMPTS is 7 here, and a throttle is what the library retries most gladly."""
    async with hostile(error("ThrottlingException", "Rate exceeded")) as server, cloud_at(server.url) as cloud:
        with pytest.raises(Throttled):
            await _create(cloud)
        assert len(server.requests) == 1


async def test_how_long_to_wait_is_read() -> None:
    answer = error("ThrottlingException", "Rate exceeded", 400, "Retry-After: 7", "x-amzn-RequestId: req-1")
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        with pytest.raises(Throttled) as caught:
            await _create(cloud)
    assert caught.value.retry_after_s == 7.0
    assert caught.value.request_id == "req-1"


async def test_a_name_with_control_characters_is_cleaned() -> None:
    """Row 50."""
    answer = error("Validation\\u001b[2JException", "no\\u0007\\u202e such\\u001b]0;x")
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        with pytest.raises(Rejected) as caught:
            await _create(cloud)
    assert is_safe(str(caught.value))
    assert is_safe(caught.value.service_code)


async def test_no_secret_reaches_a_log_or_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Every answer repeats what it was sent, every logger is at DEBUG. Row 52."""

    async def echo(request: Request) -> bytes:
        told = " ".join([*request.headers.values(), *SECRETS]).replace('"', "'").replace("\\", "/")
        return error("InvalidSignatureException", told, 403, f"x-amzn-RequestId: {SESSION_TOKEN}")

    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    async with hostile(echo) as server, cloud_at(server.url) as cloud:
        for call in CALLS:
            with pytest.raises(CloudError) as caught:
                await call(cloud)
            failure = caught.value
            texts += [str(failure), repr(failure), failure.request_id, failure.service_code]
        assert SESSION_TOKEN in server.requests[0].headers["x-amz-security-token"]
        server.answer = http(b"<html>")
        with pytest.raises(CloudError) as caught:
            await _create(cloud)
        texts.append(str(caught.value))
    texts += [record.getMessage() + str(record.exc_info) + str(record.args) for record in caplog.records]
    for secret in SECRETS:
        assert not [text for text in texts if secret in text]
    assert not [record for record in caplog.records if record.name.startswith(("botocore", "aiobotocore", "aiohttp"))]
