"""The HTTP session for the machine's own services that give out credentials: instance metadata and containers.

They speak plain http on an address that leaves no machine, which the session for AWS refuses. No proxy is used: it
would read the credentials.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from engine.adapters.aws.routes import is_loopback
from engine.adapters.aws.transport import SafeSession


class MetadataSession(SafeSession):
    """A safe session that also speaks plain http with addresses that belong to this machine or its own network."""

    def may_speak_plainly(self, url: str) -> bool:
        """Whether `url` is one of a local service."""
        parts = urlsplit(url)
        if parts.scheme != "http" or "@" in parts.netloc:
            return False
        if is_loopback(parts.hostname):
            return True
        try:
            address = ipaddress.ip_address(parts.hostname or "")
        except ValueError:
            return False
        return address.is_link_local or address.is_private


class MetadataSource:
    """Opens such a session for as long as one request takes; stands where the library expects a shared one."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """Open a session."""
        async with MetadataSession(timeout=self._timeout_s) as session:
            yield session
