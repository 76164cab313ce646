"""The workers of a run: so many processes of this machine, or those of a scheduler that is there already.

Not here: the engine that has them (`adapters.dask_workers`), or what they do (`app.by_workers`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from engine.core.errors import UsageError
from engine.core.text import clean

_ADDRESS: Final = re.compile(r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})/?")
_PLAIN: Final = "tcp"
_VERIFIED: Final = "tls"
_PORT_MAX: Final = 65_535
_HINT: Final = "Write tls://HOST:PORT, such as tls://dask.acme.example:8786"
_SHOWN_MAX_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Crew:
    """So many workers; 0 is as many as the scheduler has. `scheduler` is empty for processes of this machine."""

    count: int = 0
    scheduler: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the workers are processes of this machine, so that they reach its folders."""
        return not self.scheduler

    @property
    def is_verified(self) -> bool:
        """Whether the scheduler proves who it is."""
        return self.scheduler.startswith(f"{_VERIFIED}:")

    def argv(self) -> list[str]:
        """Return the words of a command line that asks for these workers."""
        count = ["--workers", str(self.count)] if self.count else []
        return [*count, *(["--scheduler", self.scheduler] if self.scheduler else [])]


def crew_of(count: int | None, scheduler: str | None) -> Crew | None:
    """Return the workers that are asked for, or None. Raises UsageError for an address that cannot be used."""
    if count is None and scheduler is None:
        return None
    return Crew(count or 0, "" if scheduler is None else _address(scheduler))


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    shown = clean(text, _SHOWN_MAX_CHARS)
    if "@" in text:
        raise UsageError("--scheduler: an address holds no user name and no password", hint=_HINT)
    if found is None or found["scheme"] not in (_PLAIN, _VERIFIED) or not 0 < int(found["port"]) <= _PORT_MAX:
        raise UsageError(f"--scheduler: {shown} is not the address of a Dask scheduler", hint=_HINT)
    if found["scheme"] == _PLAIN and not _is_loopback(found["host"]):
        raise UsageError(
            f"--scheduler: {shown} is not on this machine, and anyone who reaches a tcp:// scheduler can run code in "
            "its workers",
            hint="Give the scheduler and its workers certificates (Dask: tls://), then write tls:// here",
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
