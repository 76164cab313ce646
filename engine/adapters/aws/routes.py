"""Which way a request goes: to which hosts plain http is taken, and what goes through a proxy.

A proxy carries https alone: in plain http it would read the signed request and the session token. Loopback is reached
directly whatever the proxy variables say. NO_PROXY has been applied by the library before.

Not here: connections (`transport`), which endpoints are AWS's own (`endpoints`).
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from yarl import URL

_PROXY_SCHEMES: Final = ("http", "https")


class UnusableProxyError(BotoCoreError):  # type: ignore[misc]  # the library has no types
    """A proxy's address that cannot be used; nothing was sent."""

    fmt = "HTTPS_PROXY is {proxy}, which cannot be used: {why}"


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe_url(url: str) -> bool:
    """Whether credentials may be sent there: https, or http to loopback, a real port, and no password to be shown."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only when asked for, and then it may be no number
    except ValueError:
        return False
    if "@" in parts.netloc or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, without a user name and a password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0].rpartition('@')[2]}"


def without_password(url: str) -> str:
    """Return a URL as it may be shown, whatever precedes its host."""
    scheme, separator, rest = url.rpartition("//")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


class SafeProxies(ProxyConfiguration):  # type: ignore[misc]  # the library has no types
    """The proxies of one client: for https to another machine, and for nothing else."""

    def proxy_url_for(self, url: str) -> str | None:
        """Return the proxy for a request, or None. Raises UnusableProxyError."""
        parts = urlsplit(url)
        if parts.scheme != "https" or is_loopback(parts.hostname):
            return None
        given: str = self._proxies.get("https") or ""
        if not given:
            return None
        check_proxy(given if "://" in given else f"http://{given.removeprefix('//')}")
        proxy: str = super().proxy_url_for(url)
        return proxy


def check_way_to(url: str) -> None:
    """Raise UnusableProxyError when the environment names a proxy for `url` that cannot be used."""
    SafeProxies(get_environ_proxies(url)).proxy_url_for(url)


def check_proxy(proxy: str) -> None:
    """Raise UnusableProxyError for a proxy that is not http://HOST:PORT or https://HOST:PORT."""
    why = ""
    try:
        parts: Any = URL(proxy)
        _ = parts.port
    except ValueError:
        why = "it is not a URL"
    else:
        if parts.scheme not in _PROXY_SCHEMES:
            why = f"appfleet speaks to http and https proxies, not {parts.scheme}"
        elif not parts.host:
            why = "it names no host"
    if why:
        raise UnusableProxyError(proxy=without_password(proxy), why=why)
