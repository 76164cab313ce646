"""Why a connection was not made, in words, and whether trying again can help.

Everything here happened before a request left this machine. Not here: answers, and what broke later (`aws_errors`).
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from botocore import exceptions as aws

from engine.adapters.aws.routes import UnusableProxyError, is_loopback, origin_of
from engine.adapters.aws.tls import BUNDLE_HINT, UnusableBundleError, lasting_refusal
from engine.adapters.resources import lacks_threads
from engine.core.errors import BugError, CloudError, CredentialsFailed, Rejected, TlsFailed, Unreachable

_PROXY_ASKS_STATUS: Final = 407
_CLIENT_STATUSES: Final = range(400, 500)
_LISTENS_LATER: Final = frozenset({408, 425, 429})
_MASKED: Final = "***"
_USUAL_PORTS: Final = {"http": 80, "https": 443}

REACH_HINT: Final = "Check --endpoint-url / AWS_ENDPOINT_URL, the network and the proxy"
_PROXY_HINT: Final = "Check HTTPS_PROXY and NO_PROXY, and the network"
_PROXY_ASKS_HINT: Final = (
    "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, with special characters of the password percent-encoded; or name "
    "the AWS hosts in NO_PROXY when they can be reached directly"
)
_PROXY_URL_HINT: Final = "Set HTTPS_PROXY=http://HOST:PORT, or unset it"
_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ECONNRESET: "connection reset",
    errno.ETIMEDOUT: "no answer in time",
    errno.EADDRNOTAVAIL: "no such address on this network",
    errno.EMFILE: "this process may not open more files: raise ulimit -n",
    errno.ENFILE: "this machine may not open more files",
}


def not_sent(operation: str, error: Exception) -> CloudError | None:
    """Return the error for what kept a request from leaving, or None where it may have left."""
    if isinstance(error, UnusableBundleError | UnusableProxyError):
        return _unusable_here(operation, error)
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return _not_connected(operation, error)
    return None


def _unusable_here(operation: str, error: UnusableBundleError | UnusableProxyError) -> CloudError:
    """Return the error for what this machine's configuration names and what cannot be used."""
    kind, hint = (TlsFailed, BUNDLE_HINT) if isinstance(error, UnusableBundleError) else (Rejected, _PROXY_URL_HINT)
    return kind(str(error), hint=hint, operation=operation, service_code=type(error).__name__)


def _not_connected(operation: str, error: aws.BotoCoreError) -> CloudError | None:
    more: dict[str, Any] = {"operation": operation, "service_code": type(error).__name__}
    if isinstance(error, aws.SSLError):
        return _insecure(error, more)
    if isinstance(error, aws.ProxyConnectionError):
        return _through_proxy(error, more)
    if isinstance(error, aws.ConnectTimeoutError):
        proxy = _proxy_of(error)
        where, hint = (f" through the proxy {proxy}", _PROXY_HINT) if proxy else ("", _reach_hint(_endpoint(error)))
        return Unreachable(f"Cannot connect to {_endpoint(error)}{where} (no answer in time)", hint=hint, **more)
    if isinstance(error, aws.EndpointConnectionError):
        cause = error.kwargs.get("error")
        # The library calls a reset after the whole request was sent by the same name; the cause tells them apart.
        if isinstance(cause, aiohttp.ClientConnectorError | socket.gaierror):
            if _is_of_proxy(error, cause):
                return _unreachable(f"Cannot connect to the proxy {_proxy_of(error)}", cause, _PROXY_HINT, more)
            return _unreachable(f"Cannot connect to {_endpoint(error)}", cause, REACH_HINT, more)
    return _wrapped(operation, error, more)


def _wrapped(operation: str, error: aws.BotoCoreError, more: dict[str, Any]) -> CloudError | None:
    """Return the error for one of ours, or of the system's, that the library wrapped into one of its own."""
    cause = error.kwargs.get("error")
    if isinstance(cause, BugError):
        return Unreachable(cause.message, hint=cause.hint, **more)
    if lacks_threads(cause):  # names are looked up in threads
        what = f"Cannot look up {_endpoint(error)} (this process may not start more threads)"
        return Unreachable(what, hint="Raise the limit: ulimit -u, TasksMax= in systemd, the pids limit", **more)
    return not_sent(operation, cause) if isinstance(cause, UnusableBundleError | UnusableProxyError) else None


def _insecure(error: aws.SSLError, more: dict[str, Any]) -> CloudError:
    refusal = lasting_refusal(error)
    if refusal is not None:
        return TlsFailed(refusal.message, hint=refusal.hint, **more)
    why = type(error.kwargs.get("error")).__name__
    return Unreachable(f"Cannot connect securely to {_endpoint(error)} ({why})", hint=REACH_HINT, **more)


def _through_proxy(error: aws.ProxyConnectionError, more: dict[str, Any]) -> CloudError:
    shown = str(error.kwargs.get("proxy_url", ""))
    proxy = origin_of(shown) if "//" in shown else "the proxy"
    cause = error.kwargs.get("error")
    if not isinstance(cause, aiohttp.ClientHttpProxyError):
        return _unreachable(f"Cannot connect to the proxy {proxy}", cause, _PROXY_HINT, more)
    if cause.status == _PROXY_ASKS_STATUS:
        refused = "refused the user name and the password of HTTPS_PROXY"
        asks = refused if _MASKED in shown else "asks for a user name and a password"
        return CredentialsFailed(f"The proxy {proxy} {asks} (407)", hint=_PROXY_ASKS_HINT, **more)
    return Unreachable(
        f"The proxy {proxy} did not connect to the service (HTTP status {cause.status})",
        hint=_PROXY_HINT,
        nobody_listens=cause.status in _CLIENT_STATUSES and cause.status not in _LISTENS_LATER,
        **more,
    )


def _unreachable(what: str, cause: object, hint: str, more: dict[str, Any]) -> Unreachable:
    if isinstance(cause, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Unreachable(f"{what} (host name not found)", hint=hint, nobody_listens=True, **more)
    number = getattr(cause, "errno", None)
    if number is None and isinstance(getattr(cause, "os_error", None), ConnectionError):
        number = errno.ECONNRESET  # of a handshake that the other side ended: the loop's error has no number
    why = _WORDS.get(number or 0) or (type(cause).__name__ if cause is not None else "no connection")
    return Unreachable(f"{what} ({why})", hint=hint, nobody_listens=number == errno.ECONNREFUSED, **more)


def _is_of_proxy(error: aws.BotoCoreError, cause: object) -> bool:
    """Return whether it is the proxy that was not reached: the library calls one without an address an endpoint."""
    proxy = urlsplit(_proxy_of(error))
    if not (isinstance(cause, aiohttp.ClientConnectorError) and proxy.hostname):
        return False
    port = proxy.port or _USUAL_PORTS.get(proxy.scheme.lower())
    return (cause.host.strip("[]").lower(), cause.port) == (proxy.hostname, port)


def _reach_hint(endpoint: str) -> str:
    """Return what to check where nobody answered: on this machine that is often a server that does not speak TLS."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https" and is_loopback(parts.hostname or ""):
        return f"If the server there speaks plain http, use http://{parts.netloc}. Otherwise: {REACH_HINT}"
    return REACH_HINT


def _proxy_of(error: aws.BotoCoreError) -> str:
    """Return the proxy that the request was to go through, without a password, or an empty text."""
    url = error.kwargs.get("proxy_url")
    return origin_of(url) if isinstance(url, str) else ""


def _endpoint(error: aws.BotoCoreError) -> str:
    url = str(error.kwargs.get("endpoint_url", ""))
    return origin_of(url) if "//" in url else "the service"
