"""How requests leave this machine and how answers come in: an HTTP session and a parser that cannot be fooled.

`SafeSession` verifies the certificate and the name of every server and every proxy, follows no redirect (the library
underneath would hand the session token to whoever the redirect names), keeps no cookie, reads a bounded number of
bytes, bounds a request's whole time (the wait for a free connection included), speaks plain http with loopback only
and sends nothing through a proxy but https. What a request rests on is asked once more with its connection in hand,
and again as it is written (`ports.leaving`). `StrictJSONParser` takes an answer for a success only when it is
a 200 with one JSON object, and hands that object on as it is: who asked checks each field. `SafeConfig` keeps both in
place when configurations are merged.

It leans on insides of aiobotocore, which is why that is pinned exactly and every property has a test over loopback,
which is run with the newest aiobotocore too (`make check-newer`).
Not here: whom a connection trusts (`tls`), which way it goes (`routes`), what an error means (`aws_errors`), who is
asked (`sessions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError, SSLError

from engine.adapters.aws.routes import SafeProxies, is_safe_url, origin_of
from engine.adapters.aws.tls import Bundle, bundle_of, certificate_error_in, proxy_bundle, server_context
from engine.core.errors import BugError, CloudError
from engine.core.limits import ANSWER_MAX_BYTES, CONNECT_MAX_SECONDS, READ_MAX_SECONDS, REQUEST_TOTAL_MAX_SECONDS
from engine.ports.leaving import check_before_leaving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from botocore.config import Config

_HTTP_OK: Final = 200
_SPARE_CONNECTIONS_COUNT: Final = 4


class UnreadableAnswerError(ValueError):
    """An answer that arrived and is not what was asked for. Its text is ours, never the answer's."""


class AnswerTooLargeError(aiohttp.ClientPayloadError):
    """An answer of more bytes than any answer has; the rest of it was not read."""


class UnsafeEndpointError(BotoCoreError):  # type: ignore[misc]  # the library has no types
    """A request that would have gone over plain http to another machine; it was not sent."""

    fmt = "Refused to send credentials over plain http to {host}"


class CappedResponse(aiohttp.ClientResponse):
    """A response whose body is bounded, whatever its headers say."""

    max_bytes: ClassVar[int] = ANSWER_MAX_BYTES

    async def read(self) -> bytes:
        """Return the whole body. Raises AnswerTooLargeError past `max_bytes`; the connection is closed on any error."""
        if self._body is None:
            try:
                self._body = await self._read_bounded()
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def _read_bounded(self) -> bytes:
        size = 0
        parts: list[bytes] = []
        while part := await self.content.readany():
            size += len(part)
            if size > self.max_bytes:
                raise AnswerTooLargeError(f"the answer is larger than {self.max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


class _StraightSession:
    """A client session that takes every answer as it comes, redirects included."""

    __slots__ = ("_session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, method: str, **options: Any) -> Any:
        return self._session.request(method, allow_redirects=False, **options)


class HeldBackRequest(aiohttp.ClientRequest):
    """A request that asks once more whether it may leave in the very turn of the loop in which its bytes do.

    The library writes them in a task of their own, which a busy or a stopped process may come to much later.
    """

    async def write_bytes(self, writer: Any, conn: Any, *more: Any, **options: Any) -> None:
        """Write the request. What holds it back reaches whoever waits for the answer; then nothing was sent."""
        try:
            check_before_leaving()
        except CloudError as error:
            conn.protocol.set_exception(error)
        else:
            await super().write_bytes(writer, conn, *more, **options)


class ProvingConnector(aiohttp.TCPConnector):
    """Connections on which the other side proves who it is: a server to `server`, a proxy that speaks TLS to `proxy`.

    The library has one context for both, or none at all. They are asked for when a connection needs one, since a
    session that speaks with loopback in plain http does without.
    """

    def __init__(
        self, server: Callable[[], ssl.SSLContext], proxy: Callable[[], ssl.SSLContext], proxy_url: str, **options: Any
    ) -> None:
        super().__init__(**options)
        self._server_context = server
        self._proxy_context = proxy
        self._proxy_origin = origin_of(proxy_url) if proxy_url else ""

    async def connect(self, req: Any, *more: Any, **options: Any) -> Any:
        """Return a connection for a request that may still leave. Raises CloudError where it may not."""
        connection = await super().connect(req, *more, **options)
        try:
            check_before_leaving()
        except BaseException:
            connection.release()
            raise
        return connection

    def _get_ssl_context(self, req: Any) -> ssl.SSLContext | None:
        if not req.is_ssl():
            return None
        to_proxy = origin_of(str(req.url)) == self._proxy_origin
        return self._proxy_context() if to_proxy else self._server_context()

    async def _start_tls_connection(self, underlying_transport: Any, req: Any, *args: Any, **options: Any) -> Any:
        """Speak TLS inside a connection to a proxy.

        Inside TLS a refused certificate arrives as a TypeError of the event loop, in some versions of Python, which the
        library tells as a connection that broke. No request was sent yet, whatever happens here.
        """
        try:
            return await super()._start_tls_connection(underlying_transport, req, *args, **options)
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ClientConnectionError as error:
            refused = certificate_error_in(error)
            if refused is not None:
                raise aiohttp.ClientConnectorCertificateError(req.connection_key, refused) from None
            raise aiohttp.ClientConnectorError(req.connection_key, ConnectionAbortedError()) from None


class SafeSession(AIOHTTPSession):  # type: ignore[misc]  # the library has no types
    """The HTTP session of every client. Bounds are class attributes, since the library makes the instances."""

    request_total_max_seconds: ClassVar[float] = REQUEST_TOTAL_MAX_SECONDS
    response_class: ClassVar[type[CappedResponse]] = CappedResponse

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_closed = False
        self._safe_origins: set[str] = set()
        self._proxy_config = SafeProxies(options.get("proxies"), options.get("proxies_config"))
        given: Any = self._timeout
        self._timeout: Any = aiohttp.ClientTimeout(
            total=self.request_total_max_seconds,
            connect=given.sock_connect,  # from asking for a connection, so a full pool counts too
            sock_connect=given.sock_connect,
            sock_read=given.sock_read,
        )

    @property
    def bundle(self) -> Bundle:
        """The certificate authorities that servers are verified against."""
        return bundle_of(self._verify)

    def _asked_bundle(self, error: SSLError) -> Bundle:
        """Return the authorities that did not vouch: those for the proxy when it is the proxy that was refused."""
        cause = error.kwargs.get("error")
        proxy_url = self._proxy_config.proxy_url_for(error.kwargs["endpoint_url"])
        is_proxy = proxy_url is not None and origin_of(proxy_url).endswith(f"//{cause.host}:{cause.port}")
        return proxy_bundle(self._proxy_config.settings, self.bundle)[0] if is_proxy else self.bundle

    def may_speak_plainly(self, url: str) -> bool:
        """Whether a request to `url`, which is not https, may be sent."""
        return is_safe_url(url)

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_closed = True
        await super().__aexit__(*exc_info)

    def _proving_connector(self, proxy_url: str | None) -> ProvingConnector:
        return ProvingConnector(
            self._server_context,
            self._proxy_context,
            proxy_url or "",
            limit=self._max_pool_connections,
            **self._connector_args,
        )

    def _server_context(self) -> ssl.SSLContext:
        return server_context(self.bundle, (self._cert_file, self._key_file))

    def _proxy_context(self) -> ssl.SSLContext:
        return server_context(*proxy_bundle(self._proxy_config.settings, self.bundle))

    async def _get_session(self, proxy_url: str | None) -> _StraightSession:
        if self._is_closed:
            raise BugError("a client was used after it had been closed")
        session: _StraightSession | None = self._sessions.get(proxy_url)
        if session is None:
            session = await self._open_session(self._proving_connector(proxy_url))
            self._sessions[proxy_url] = session
        return session

    async def _open_session(self, connector: aiohttp.TCPConnector) -> _StraightSession:
        return _StraightSession(
            await self._exit_stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=self._timeout,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    skip_auto_headers={"CONTENT-TYPE"},
                    auto_decompress=False,
                    request_class=HeldBackRequest,
                    response_class=self.response_class,
                )
            )
        )

    async def send(self, request: Any) -> Any:
        """Send one request, once.

        Raises before anything is sent: UnsafeEndpointError for plain http elsewhere, UnusableProxyError and
        UnusableBundleError for what this machine's configuration names and what cannot be used; and the CloudError of
        what holds it back (`ports.leaving`).
        """
        url: str = request.url
        origin = origin_of(url)
        if origin not in self._safe_origins:
            self._check_way(url)
            self._safe_origins.add(origin)
        try:
            return await super().send(request)
        except SSLError as error:
            error.kwargs["bundle"] = self._asked_bundle(error)  # this session alone knows it, and the message names it
            raise
        except HTTPClientError as error:
            held_back = error.kwargs.get("error")
            if isinstance(held_back, CloudError):
                raise held_back from None
            raise
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            error.kwargs["proxy_url"] = self._proxy_config.proxy_url_for(url)  # likewise
            raise

    def _check_way(self, url: str) -> None:
        """Find what is wrong on this machine here, before the library wraps it into an error of the network."""
        if not url.startswith("https://"):
            if not self.may_speak_plainly(url):
                raise UnsafeEndpointError(host=urlsplit(url).hostname)
            return
        self._server_context()
        proxy_url = self._proxy_config.proxy_url_for(url)
        if proxy_url is not None and proxy_url.startswith("https:"):
            self._proxy_context()


class SafeConfig(AioConfig):  # type: ignore[misc]  # the library has no types
    """A client configuration that keeps its HTTP session when it is merged with another; the base class does not."""

    def merge(self, other_config: Config) -> SafeConfig:
        """Return both, where what `other_config` sets wins, with the HTTP session of this one."""
        options = {**self._user_provided_options, **other_config._user_provided_options}  # noqa: SLF001 the base does so
        # Newer libraries count these two among the options.
        ours = {"connector_args": self.connector_args, "http_session_cls": self.http_session_cls}
        return SafeConfig(**{**options, **ours})


def safe_config(
    concurrency: int,
    *,
    user_agent: str,
    session_class: type[SafeSession] = SafeSession,
    connect_max_seconds: float = CONNECT_MAX_SECONDS,
    read_max_seconds: float = READ_MAX_SECONDS,
) -> SafeConfig:
    """Return the configuration of every client: one attempt a call, and a connection for each of `concurrency` calls.

    An explicit count of attempts wins over AWS_MAX_ATTEMPTS. `user_agent` is sent as it is and nothing beside it.
    """
    return SafeConfig(
        http_session_cls=session_class,
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=connect_max_seconds,
        read_timeout=read_max_seconds,
        max_pool_connections=concurrency + _SPARE_CONNECTIONS_COUNT,
        user_agent=user_agent,
    )


class StrictJSONParser(AioJSONParser):  # type: ignore[misc]  # the library has no types
    """Reads a success strictly and without walking the service's model: the answer's own object, as it is.

    The library's parser reads bad JSON, a null or a string where a list belongs as an empty success; and walking the
    model costs twenty times the reading. Times stay numbers: epoch seconds.
    """

    async def _do_parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        if response["status_code"] != _HTTP_OK:
            raise UnreadableAnswerError(f"the status is {response['status_code']}, not 200")
        body: bytes = response["body"]
        if shape is None and not body.strip():
            parsed: Any = {}
        else:
            try:
                parsed = orjson.loads(body)
            except orjson.JSONDecodeError:
                raise UnreadableAnswerError("the answer is not JSON") from None
        if not isinstance(parsed, dict):
            raise UnreadableAnswerError("the answer is not a JSON object")
        if "__type" in parsed or (shape is None and parsed):
            raise UnreadableAnswerError("the answer is not the one of this call")
        parsed.pop("ResponseMetadata", None)
        self._inject_response_metadata(parsed, response["headers"])
        return parsed

    def _parse_body_as_json(self, body_contents: bytes) -> Any:
        """Read the body of an error, for its code and message alone; what is no JSON object has neither."""
        try:
            parsed = orjson.loads(body_contents)
        except orjson.JSONDecodeError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


class StrictParserFactory(AioResponseParserFactory):  # type: ignore[misc]  # the library has no types
    """Gives the strict parser to JSON services, one for all calls, and the library's own to others."""

    def __init__(self) -> None:
        super().__init__()
        self._json = StrictJSONParser()

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser of the protocol's answers."""
        return self._json if protocol_name == "json" else super().create_parser(protocol_name)


def harden(client: Any) -> None:
    """Put the strict parser into a client. Raises BugError where the safe session is not in place."""
    endpoint = client._endpoint  # noqa: SLF001 there is no public way to the session that is in use
    if not isinstance(endpoint.http_session, SafeSession):
        raise BugError(f"a client uses {type(endpoint.http_session).__name__} in place of the safe session")
    endpoint._response_parser_factory = StrictParserFactory()  # noqa: SLF001 only this client's, not all of a session
