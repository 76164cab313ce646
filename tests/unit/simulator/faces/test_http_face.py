"""The HTTP face over raw sockets: what it answers, and what cannot bring it down."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from engine.core.errors import UsageError
from engine.core.limits import SIMULATED_BODY_MAX_BYTES, SIMULATED_HEADER_MAX_BYTES
from engine.simulator.faces import http_face
from engine.simulator.faces.http_face import Server, is_loopback, serve
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.world import Timing
from tests.unit.simulator.worlds import ACCOUNT, START, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.simulator.world.world import World

SCOPE = "AWS4-HMAC-SHA256 Credential={key}/20270115/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
CREATE = {"DomainId": "d-abc", "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default"}


@asynccontextmanager
async def serving(world: World | None = None) -> AsyncIterator[Server]:
    server = await serve(world or make_world(), "127.0.0.1", 0, lambda: START)
    try:
        yield server
    finally:
        await server.close()


def a_request(target: str, body: object = None, *, key: str = "test", **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    lines = [
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        f"X-Amz-Target: {target}",
        f"Authorization: {SCOPE.format(key=key)}",
        f"Content-Length: {len(data)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def raw(server: Server, data: bytes, *, half_close: bool = True) -> bytes:
    """Send bytes and give all that comes back until the server closes."""
    reader, writer = await connect(server)
    writer.write(data)
    if half_close:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 180)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


async def ask(server: Server, data: bytes) -> tuple[int, Any]:
    """Send one request and give the status and the JSON of its answer."""
    head, _, body = (await raw(server, data)).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body) if body else None


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    for _ in range(200_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def is_alive(server: Server) -> bool:
    return await ask(server, b"GET /_appfleet/health HTTP/1.1\r\nHost: localhost\r\n\r\n") == (200, {"status": "ok"})


async def test_an_app_is_made_and_listed() -> None:
    async with serving() as server:
        status, made = await ask(server, a_request("SageMaker.CreateApp", CREATE))
        assert (status, made) == (
            200,
            {"AppArn": f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:app/d-abc/alice-lab/jupyterlab/default"},
        )
        _, listed = await ask(server, a_request("SageMaker.ListApps"))
        assert listed["Apps"][0]["CreationTime"] == START


async def test_an_error_has_a_type_a_message_and_a_request_id() -> None:
    async with serving() as server:
        answer = await raw(server, a_request("SageMaker.DescribeDomain", {"DomainId": "d-gone"}))
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nx-amzn-RequestId: 00000000-0000-4000-8000-000000000001\r\n" in answer
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert body == {"__type": "ResourceNotFound", "message": "Domain [d-gone] does not exist."}


async def test_an_operation_without_output_answers_with_no_body() -> None:
    async with serving() as server:
        await ask(server, a_request("SageMaker.CreateApp", CREATE))
        server.world.advance(START + 10)
        assert await ask(server, a_request("SageMaker.DeleteApp", CREATE)) == (200, None)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (a_request("SageMaker.MakeTea"), 400, "UnknownOperationException"),
        (a_request("Elsewhere.CreateApp"), 400, "UnknownOperationException"),
        (a_request("Elsewhere.CreateApp").replace(b"127.0.0.1", b"LocalHost:80"), 400, "UnknownOperationException"),
        (a_request("SageMaker.GetServiceQuota"), 400, "UnknownOperationException"),
        (a_request("SageMaker.CreateApp", b"{not json"), 400, "SerializationException"),
        (a_request("SageMaker.CreateApp", b"[]"), 400, "SerializationException"),
        (a_request("SageMaker.CreateApp", b"\xff\xfe"), 400, "SerializationException"),
        (a_request("SageMaker.CreateApp", b"[" * 100_000), 400, "SerializationException"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "UnknownOperationException"),
        (a_request("SageMaker.ListApps", Origin="https://example.org"), 403, "AccessDeniedException"),
        (a_request("SageMaker.ListApps").replace(b"127.0.0.1", b"evil.example"), 403, "AccessDeniedException"),
        (b"nonsense\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"GET /\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"\x16\x03\x01 \x02\x00 HTTP/1.1\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nno colon here\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nHost : x\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", 411, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n", 400, "MalformedHttpRequestException"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (SIMULATED_BODY_MAX_BYTES + 1),
            413,
            "MalformedHttpRequestException",
        ),
        (
            b"POST / HTTP/1.1\r\nX: " + b"x" * SIMULATED_HEADER_MAX_BYTES + b"\r\n",
            431,
            "MalformedHttpRequestException",
        ),
    ],
)
async def test_what_is_not_a_request_is_refused_and_the_server_lives(data: bytes, status: int, code: str) -> None:
    async with serving() as server:
        answered, body = await ask(server, data)
        assert (answered, body["__type"]) == (status, code)
        assert await is_alive(server)


async def test_a_client_that_speaks_tls_is_answered_at_once_and_does_not_wait_for_a_handshake() -> None:
    async with serving() as server:
        port = urlsplit(server.url).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # how a handshake begins; no line ends in it
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"this is plain http, not https" in answer
        assert await is_alive(server)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345"])
async def test_a_client_that_goes_before_it_has_asked_gets_nothing(data: bytes) -> None:
    async with serving() as server:
        assert await raw(server, data) == b""
        assert await is_alive(server)


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as server:
        asked = [a_request("SageMaker.ListApps"), a_request("SageMaker.CreateApp", CREATE), a_request("SageMaker.Tea")]
        answer = await raw(server, b"".join(asked))
        assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]
        assert answer.index(b'"Apps"') < answer.index(b'"AppArn"') < answer.index(b"UnknownOperation")


async def test_a_request_may_come_in_single_bytes() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        for byte in a_request("SageMaker.ListApps"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_connection_stays_until_the_client_says_otherwise() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        for _ in range(3):
            writer.write(a_request("SageMaker.ListApps"))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        writer.write(a_request("SageMaker.ListApps", Connection="close"))
        assert b"Connection: close" in await reader.read()
        writer.close()


async def test_answers_take_the_time_that_the_world_says_and_are_counted_in_flight() -> None:
    async with serving(make_world(timing=Timing(answer=(0.02, 0.02)))) as server:
        answers = await asyncio.gather(*(ask(server, a_request("SageMaker.ListApps")) for _ in range(5)))
        assert [status for status, _ in answers] == [200] * 5
        stats = server.world.stats
        assert (stats.max_in_flight, stats.in_flight) == (5, 0)
        two = await raw(server, a_request("SageMaker.ListApps") * 2)
        assert two.count(b"200 OK") == 2
        last = await raw(server, a_request("SageMaker.ListApps", Connection="close"))
        assert last.count(b"200 OK") == 1


async def test_a_client_that_goes_while_it_waits_is_no_longer_in_flight() -> None:
    async with serving(make_world(timing=Timing(answer=(60.0, 60.0)))) as server:
        _, writer = await connect(server)
        writer.write(a_request("SageMaker.ListApps"))
        await until(lambda: bool(server.world.stats.in_flight))
        linger = struct.pack("ii", 1, 0)  # so that the close is a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await until(lambda: not (server.world.stats.in_flight))
        assert server.world.stats.max_in_flight == 1


async def test_a_client_that_floods_a_waiting_connection_is_held_back() -> None:
    async with serving(make_world(timing=Timing(answer=(0.05, 0.05)))) as server:
        big = a_request("SageMaker.ListApps", b" " * (SIMULATED_BODY_MAX_BYTES - 2) + b"{}")
        answer = await raw(server, big * 4)
        assert answer.count(b"HTTP/1.1 200") == 4


async def test_a_client_that_does_not_read_stops_the_answers_to_it_alone() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        quotas = a_request("ServiceQuotasV20190624.ListServiceQuotas", {"ServiceCode": "sagemaker"})
        count = 300
        writer.write(quotas * count)
        writer.write_eof()
        for _ in range(2_000):
            await asyncio.sleep(0)
        answered = server.world.stats.calls["ListServiceQuotas"]["ok"]
        assert await is_alive(server)
        assert answered < count
        assert (await reader.read()).count(b"HTTP/1.1 200") == count
        writer.close()


async def test_more_connections_than_allowed_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_face, "SIMULATED_CONNECTIONS_MAX_COUNT", 2)
    async with serving() as server:
        kept = [await connect(server) for _ in range(2)]
        await until(lambda: not (server.world.stats.connections < 2))
        assert b"200" in await raw(server, a_request("SageMaker.ListApps"))
        # The one that was silent longest has made room.
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await kept[0][0].readexactly(1)
        kept[1][1].write(a_request("SageMaker.ListApps"))
        assert (await kept[1][0].readline()).startswith(b"HTTP/1.1 200")
        for _, writer in kept:
            writer.close()


async def test_where_everybody_waits_for_an_answer_one_more_is_reset_and_what_it_asks_does_not_happen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_face, "SIMULATED_CONNECTIONS_MAX_COUNT", 1)
    world = make_world()
    world.faults.rules.append(FaultRule(Fault(FaultKind.STALL_AFTER), "ListApps"))
    async with serving(world) as server:
        _, waiting = await connect(server)
        waiting.write(a_request("SageMaker.ListApps"))
        await until(lambda: bool(world.stats.in_flight))
        assert await raw(server, a_request("SageMaker.CreateApp", CREATE), half_close=False) == b"reset"
        assert (dict(world.apps), world.stats.in_flight) == ({}, 1)
        waiting.close()


async def test_a_silent_connection_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_face, "SIMULATED_IDLE_MAX_SECONDS", 0.04)
    async with serving() as server:
        reader, writer = await connect(server)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 180)
        writer.close()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (FaultKind.RESET_BEFORE, b"reset"),
        (FaultKind.REFUSED, b"reset"),
        (FaultKind.UNTRUSTED, b"reset"),
        (FaultKind.RESET_AFTER, b"reset"),
        (FaultKind.GARBAGE_AFTER, b"<html><body>Bad Gateway</body></html>"),
        (FaultKind.EMPTY_AFTER, b"{}"),
        (FaultKind.UNAVAILABLE, b'{"__type":"ServiceUnavailable","message":"The service is unable to handle the reque'),
    ],
)
async def test_faults_are_acted_out(kind: FaultKind, answer: bytes) -> None:
    world = make_world()
    world.faults.rules.append(FaultRule(Fault(kind), "CreateApp"))
    async with serving(world) as server:
        said = await raw(server, a_request("SageMaker.CreateApp", CREATE))
        assert said.rpartition(b"\r\n\r\n")[2].startswith(answer)
        assert len(world.apps) == (kind.value.endswith("-after"))
        assert len(world.stats.create_times) == 1


async def test_a_stalled_call_is_answered_never_and_ends_with_its_connection() -> None:
    world = make_world()
    world.faults.rules.append(FaultRule(Fault(FaultKind.STALL_AFTER), "CreateApp", max_count=1))
    async with serving(world) as server:
        reader, writer = await connect(server)
        writer.write(a_request("SageMaker.CreateApp", CREATE) + a_request("SageMaker.ListApps"))
        await until(lambda: bool(world.apps))
        assert world.stats.calls["ListApps"] == {}
        writer.close()
        assert await reader.read() == b""


async def test_faults_of_sts_are_acted_out_too() -> None:
    query = b"Action=GetCallerIdentity&Version=2011-06-15"
    data = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(query), query)
    world = make_world()
    world.faults.rules = [
        FaultRule(Fault(FaultKind.EXPIRED_CREDENTIALS), max_count=1),
        FaultRule(Fault(FaultKind.RESET_BEFORE), max_count=1),
    ]
    async with serving(world) as server:
        assert b"<Code>ExpiredTokenException</Code>" in await raw(server, data)
        assert await raw(server, data) == b"reset"
        assert b"<Account>111122223333</Account>" in await raw(server, data)


async def test_what_sts_does_not_know_is_an_xml_error() -> None:
    async with serving() as server:
        for body in (b"Action=MakeTea", b"\xff=\xff", b""):
            data = b"POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            assert b"<Code>InvalidAction</Code>" in await raw(server, data)
        bad = b"Action=AssumeRole&RoleArn=short"
        data = b"POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: %d\r\n\r\n%b" % (len(bad), bad)
        assert b"<Code>ValidationException</Code>" in await raw(server, data)


async def test_the_account_is_the_worlds_unless_a_role_was_assumed() -> None:
    async with serving() as server:
        shown = [
            (await ask(server, a_request("SageMaker.ListDomains", key=key)))[1]["Domains"]
            for key in ("test", "ASIASIMULATED222233334444", "ASIASIMULATEDx")
        ]
        assert [len(domains) for domains in shown] == [1, 0, 1]


async def test_the_simulators_own_questions() -> None:
    async with serving() as server:

        async def own(method: str, path: str) -> tuple[int, Any]:
            head = f"{method} /_appfleet/{path} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 0\r\n\r\n"
            return await ask(server, head.encode())

        await ask(server, a_request("SageMaker.CreateApp", CREATE))
        status, stats = await own("GET", "stats")
        assert (status, stats["calls"], stats["apps"]) == (200, {"CreateApp": {"ok": 1}}, {"Pending": 1})
        assert await own("POST", "reset-stats") == (200, {})
        assert (await own("GET", "stats"))[1]["calls"] == {}
        assert (await own("GET", "shutdown"))[0] == 404
        assert not server.stopped.is_set()
        assert await own("POST", "shutdown") == (200, {})
        assert server.stopped.is_set()


async def test_a_bug_of_the_simulator_is_a_500_and_the_next_call_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        with monkeypatch.context() as patch:
            patch.setattr(server.world, "draw", None)
            status, body = await ask(server, a_request("SageMaker.ListApps"))
            assert (status, body["__type"]) == (500, "InternalFailure")
        assert "the simulator failed at a request" in caplog.text
        assert (await ask(server, a_request("SageMaker.ListApps")))[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::", ""])
async def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(UsageError, match="loopback only"):
        await serve(make_world(), host, 0, lambda: START)


def test_what_loopback_is() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]")] == [True] * 5
    assert not is_loopback("127.0.0.1.example.org")


async def test_an_ipv6_address_is_a_url() -> None:
    try:
        server = await serve(make_world(), "::1", 0, lambda: START)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert server.url.startswith("http://[::1]:")
    await server.close()


async def test_the_end_of_the_server_is_an_end_for_who_has_its_answer_and_a_reset_for_who_waits() -> None:
    world = make_world()
    world.faults.rules.append(FaultRule(Fault(FaultKind.STALL_AFTER), "CreateApp"))
    server = await serve(world, "127.0.0.1", 0, lambda: START)
    answered, first = await connect(server)
    waiting, second = await connect(server)
    first.write(a_request("SageMaker.ListApps"))
    second.write(a_request("SageMaker.CreateApp", CREATE))
    await answered.readuntil(b"\r\n\r\n")
    await until(lambda: bool(world.apps))
    await server.close()
    assert await answered.read() == b'{"Apps":[]}'
    with pytest.raises(ConnectionResetError):
        await waiting.read()
    first.close()
    second.close()
