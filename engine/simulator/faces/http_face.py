"""The simulated services over HTTP on loopback, as the AWS SDKs and the AWS CLI speak to them.

One port for all: SageMaker and the services beside it as JSON 1.1 by X-Amz-Target, STS as the Query protocol.
The region is the one that the request was signed for. The signature itself is not checked; the account is the world's
own, or that of the role that AssumeRole gave out. `/_appfleet/…` answers the simulator's own questions.
Never reachable from another machine: other hosts than loopback's are refused, and so is a page in a browser.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine.core.errors import UsageError
from engine.core.identity import Lane
from engine.core.limits import (
    LIST_PAGE_MAX_ROWS,
    SIMULATED_CONNECTIONS_MAX_COUNT,
    SIMULATED_HEADER_MAX_BYTES,
    SIMULATED_IDLE_MAX_SECONDS,
)
from engine.simulator.faces.http_wire import Connection, Reply, Request
from engine.simulator.faces.query_protocol import QUERY_SERVICES, query_answer, query_error, read_query
from engine.simulator.service.api import OPERATIONS, answer, live_key
from engine.simulator.service.identity_operations import SESSION_KEY_PREFIX
from engine.simulator.service.model import service_model
from engine.simulator.world.faults import ACTS_BEFORE, ROW_FAULTS, Fault, FaultKind
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.simulator.world.world import World

_TARGETS: Final = {
    b"SageMaker": "sagemaker",
    b"ServiceQuotasV20190624": "servicequotas",
    b"ResourceGroupsTaggingAPI_20170126": "tagging",
    b"AWSPriceListService": "pricing",
    b"SWBExternalService": "sso-admin",
    b"AWSIdentityStore": "identitystore",
}
_DEFAULT_REGION: Final = "us-east-1"
_PLAIN_JSON: Final = b"application/json"
_XML: Final = b"text/xml"
_GARBAGE: Final = b"<html><body>Bad Gateway</body></html>"
_ADMIN: Final = b"/_appfleet/"
_HOSTS_KEPT_MAX_COUNT: Final = 16
_EMPTY_OUTPUTS: Final = frozenset({"DeleteApp", "DeleteUserProfile", "DeleteSpace"})

_log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Server:
    """A running simulator. `url` is what goes into `--endpoint-url`."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self.world = world
        self.url = ""
        self.stopped = asyncio.Event()  # somebody asked for /_appfleet/shutdown
        self._clock = clock
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._drained = asyncio.Event()
        self._drained.set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._count = 0

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises UsageError for a host that is not loopback, OSError for a port that is taken."""
        if not is_loopback(host):
            raise UsageError(
                f"the simulator listens on loopback only, not on {host!r}",
                hint="Use 127.0.0.1, ::1 or localhost",
            )
        for service in _TARGETS.values():
            service_model(service)  # loaded now, not in the first call
        self._listener = await asyncio.start_server(
            self._converse,
            host,
            port,
            limit=SIMULATED_HEADER_MAX_BYTES - 1,  # the first byte of a head is read by itself
            backlog=SIMULATED_CONNECTIONS_MAX_COUNT,
        )
        bound = self._listener.sockets[0].getsockname()
        self.url = f"http://[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}"
        self._sweep()

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.end()
        if self._listener is not None:
            await self._listener.wait_closed()
        await self._drained.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it is lost, or reset it where there are too many."""
        connection = Connection((reader, writer), self._handle, self.world.stats.ended)
        self._connections.add(connection)
        self._drained.clear()
        self.world.stats.connected()
        if len(self._connections) > SIMULATED_CONNECTIONS_MAX_COUNT and not self._make_room(connection):
            connection.abort()
        try:
            await connection.converse()
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._drained.set()
            self.world.stats.disconnected()

    def _make_room(self, newest: Connection) -> bool:
        """End the connection that was silent longest, so that idle ones keep nobody out; whether one could be."""
        idle = [connection for connection in self._connections if connection.is_idle and connection is not newest]
        if not idle:
            return False
        silent = min(idle, key=lambda connection: connection.active_at)
        self._connections.discard(silent)  # at once: it must not be chosen again before it is closed
        silent.abort()
        return True

    def _sweep(self) -> None:
        """End connections that have asked nothing for too long, again and again."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - SIMULATED_IDLE_MAX_SECONDS
        for connection in tuple(self._connections):
            if connection.active_at < oldest:
                connection.abort()
        self._sweeper = loop.call_later(SIMULATED_IDLE_MAX_SECONDS / 4, self._sweep)

    # Requests.

    def _handle(self, request: Request) -> Reply:
        self.world.stats.began()
        self._count += 1
        request_id = f"00000000-0000-4000-8000-{self._count:012x}"
        try:
            if b"origin" in request.headers or not _host_is_loopback(request.headers.get(b"host", b"localhost")):
                return _error("AccessDeniedException", "only for programs on this machine", 403, request_id)
            if request.path.startswith(_ADMIN):
                return self._administer(request)
            if request.method != b"POST":
                return _error("UnknownOperationException", "only POST is taken here", 405, request_id)
            return self._serve(request, request_id)
        except Exception:  # noqa: BLE001 - logged, and answered as the service answers its own bugs
            # The last resort of a server: one call that goes wrong must not end the others.
            _log.exception("the simulator failed at a request")
            return _error("InternalFailure", "the simulator itself failed; see its log", 500, request_id)

    def _serve(self, request: Request, request_id: str) -> Reply:
        now = self._clock()
        lane = self._lane(request)
        target = request.headers.get(b"x-amz-target")
        if target is None:
            return self._serve_query(request, lane, now, request_id)
        prefix, _, name = target.partition(b".")
        service, operation = _TARGETS.get(prefix), name.decode("ascii", "replace")
        if service is None or _service_of(operation) != service:
            return _error("UnknownOperationException", f"the simulator does not know {operation!r}", 400, request_id)
        try:
            params = orjson.loads(request.body or b"{}")
        except ValueError:
            return _error("SerializationException", "the body is not JSON", 400, request_id)
        return self._carry_out(lane, operation, params, now, request_id)

    def _carry_out(self, lane: Lane, operation: str, params: Any, now: float, request_id: str) -> Reply:
        world = self.world
        delay = world.draw(world.timing.answer)
        fault = world.faults.draw(operation, now, world.rng)
        if fault is not None and fault.kind in ACTS_BEFORE:
            world.advance(now)
            if operation == "CreateApp":
                world.note_create(live_key(params))
            return self._act_out(fault, operation, delay, request_id)
        try:
            result = answer(world, lane, operation, params, now)
        except ServiceError as error:
            reply = _error(error.code, error.message, error.status, request_id, delay)
        else:
            if fault is not None and fault.kind in ROW_FAULTS:
                result = _with_wrong_rows(result, fault.kind)
            body = b"" if operation in _EMPTY_OUTPUTS else orjson.dumps(result)
            reply = Reply(body, request_id=request_id, delay=delay)
        if fault is None or fault.kind in ROW_FAULTS:
            return reply
        return self._act_out(fault, operation, delay, request_id)

    def _act_out(
        self, fault: Fault, operation: str, delay: float, request_id: str, write: Callable[..., Reply] | None = None
    ) -> Reply:
        code, message, status = fault.error_answer(operation)
        self.world.stats.answered(operation, code or f"fault:{fault.kind.value}")
        if code:
            return (write or _error)(code, message, status, request_id, delay)
        if fault.kind is FaultKind.GARBAGE_AFTER:
            return Reply(_GARBAGE, content_type=b"text/html", request_id=request_id, delay=delay)
        if fault.kind is FaultKind.EMPTY_AFTER:
            return Reply(b"{}", request_id=request_id, delay=delay)
        stalls = fault.kind is FaultKind.STALL_AFTER
        return Reply(reset=not stalls, stall=stalls, delay=0.0 if stalls else delay)

    def _serve_query(self, request: Request, lane: Lane, now: float, request_id: str) -> Reply:
        operation, params = read_query(request.body)
        if _service_of(operation) not in QUERY_SERVICES:
            return _query_error("InvalidAction", f"Could not find operation {operation}", 400, request_id)
        delay = self.world.draw(self.world.timing.sts_answer)
        fault = self.world.faults.draw(operation, now, self.world.rng)
        if fault is not None and fault.kind in ACTS_BEFORE:
            return self._act_out(fault, operation, delay, request_id, _query_error)
        try:
            result = answer(self.world, lane, operation, params, now)
        except ServiceError as error:
            return _query_error(error.code, error.message, error.status, request_id, delay)
        return Reply(query_answer(operation, result, request_id), 200, _XML, request_id, delay)

    def _lane(self, request: Request) -> Lane:
        """Read access key and region from the credential scope of the signature."""
        said = request.headers.get(b"authorization", b"").decode("ascii", "replace")
        _, found, rest = said.partition("Credential=")
        scope = rest.partition(",")[0].split("/") if found else []
        region = scope[2] if len(scope) == 5 else _DEFAULT_REGION
        key = scope[0] if scope else ""
        account = key.removeprefix(SESSION_KEY_PREFIX)
        if account != key and account.isdigit():
            return Lane(account, region)
        return Lane(self.world.account, region)

    def _administer(self, request: Request) -> Reply:
        asked = request.method, request.path.removeprefix(_ADMIN)
        if asked == (b"GET", b"health"):
            return Reply(b'{"status":"ok"}', content_type=_PLAIN_JSON)
        if asked == (b"GET", b"stats"):
            self.world.advance(self._clock())
            return Reply(orjson.dumps(self.world.stats_json()), content_type=_PLAIN_JSON)
        if asked == (b"POST", b"reset-stats"):
            self.world.stats.reset()
            return Reply(b"{}", content_type=_PLAIN_JSON)
        if asked == (b"POST", b"shutdown"):
            self.stopped.set()
            return Reply(b"{}", content_type=_PLAIN_JSON)
        return Reply(b'{"error":"there is nothing here"}', 404, _PLAIN_JSON)


async def serve(world: World, host: str, port: int, clock: Callable[[], float]) -> Server:
    """Start a simulator on loopback; port 0 takes a free one. `clock` gives epoch seconds."""
    server = Server(world, clock)
    await server.start(host, port)
    return server


def _service_of(operation: str) -> str:
    return OPERATIONS[operation][0] if operation in OPERATIONS else ""


def _error(code: str, message: str, status: int, request_id: str, delay: float = 0.0) -> Reply:
    return Reply(orjson.dumps({"__type": code, "message": message}), status, request_id=request_id, delay=delay)


def _query_error(code: str, message: str, status: int, request_id: str, delay: float = 0.0) -> Reply:
    return Reply(query_error(code, message, request_id), status, _XML, request_id, delay)


def _with_wrong_rows(result: dict[str, Any], kind: FaultKind) -> dict[str, Any]:
    changed = dict(result)
    for member, rows in result.items():
        if isinstance(rows, list) and rows:
            doubled = [*rows, rows[-1]] if len(rows) < LIST_PAGE_MAX_ROWS else rows  # no page holds more than that
            changed[member] = doubled if kind is FaultKind.DUPLICATE_ROWS else rows[:-1]
    return changed


@lru_cache(maxsize=_HOSTS_KEPT_MAX_COUNT)
def _host_is_loopback(host: bytes) -> bool:
    text = host.decode("ascii", "replace")
    name = text.rpartition(":")[0] if text.rpartition(":")[2].isdigit() and not text.endswith("]") else text
    return is_loopback(name.lower())
