"""Any URL of Apprise's as a receiver: a hundred services of chat, mail and paging.

The URL holds credentials. It comes from the environment alone, and goes to the process that sends by its standard
input. Not here: taking them out of what that process says (`secrets_of` names them).
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from engine.adapters.notify import apprise_sender
from engine.adapters.notify.command import run
from engine.ports.notify import Notice, NotSentError

_HOST: Final = re.compile(r"localhost|[0-9.]+|(?:[a-z0-9-]+\.)+[a-z]{2,}")  # and no token, which has no such form
_BETWEEN: Final = re.compile(r"[/@:?&=,;#\s]+")  # what parts a URL: any of its parts may be a token


@dataclass(frozen=True, slots=True)
class UrlReceiver:
    """Sends to the URL that the environment variable `name` holds; `url` is its value, or empty."""

    name: str
    url: str
    folder: Path

    async def send(self, notice: Notice) -> None:
        """Send it through Apprise. Raises NotSentError."""
        if not self.url:
            raise NotSentError(
                f"the environment variable {self.name} is not set", "Set it to an Apprise URL", is_final=True
            )
        if find_spec("apprise") is None:
            raise NotSentError(
                "the package apprise is not installed", "Install it in a clone: pip install '.[notify]'", is_final=True
            )
        asked = {"url": self.url, "title": notice.title, "text": notice.text}
        # -P: nothing in the folder that appfleet is called in, or beside the script, hides a package.
        argv = (sys.executable, "-P", apprise_sender.__file__)
        try:
            code, words = await run(argv, json.dumps(asked).encode(), self.folder)
        except OSError as error:
            raise NotSentError(f"cannot start Python for Apprise: {error.strerror}", is_final=True) from None
        if code != 0:
            why = words or f"exit code {code}"
            hint = f"Check the URL in {self.name}, and whether this machine reaches the service"
            raise NotSentError(f"Apprise could not send to the URL in {self.name}: {why}", hint)


def secrets_of(url: str) -> list[str]:
    """Return what must not be repeated of a URL: each part behind its scheme but the host that it is sent to."""
    rest = url.partition("://")[2] or url
    before, at, after = rest.partition("/")[0].rpartition("@")
    host = _BETWEEN.split(after, maxsplit=1)[0]
    if _HOST.fullmatch(host):
        rest = before + at + rest[len(before) + len(at) + len(host) :]
    parts = [part for part in _BETWEEN.split(rest) if part]
    return [*parts, *(plain for part in parts if (plain := unquote(part)) != part)]
