"""What a process can see of how it was begun: written to a file, since its streams may be anything."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from botocore import credentials, loaders, tokens, utils

from tests.warm import LIMITS


def stream(one: Any) -> dict[str, Any] | None:
    if one is None:
        return None
    named = {name: getattr(one, name) for name in ("name", "mode", "encoding", "errors", "line_buffering", "newlines")}
    return {
        **named,
        "write_through": one.write_through,
        "buffer": [type(one.buffer).__name__, one.buffer.name, one.buffer.mode, one.buffer.raw.closefd],
        "terminal": one.isatty(),
    }


def seen() -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "words": sys.argv[1:],
        "script": sys.argv[0],
        "main": sys.modules["__main__"].__name__,
        "first of the path": sys.path[0],
        "folder": str(Path.cwd()),
        "variables": dict(os.environ),
        "umask": umask,
        "limits": [resource.getrlimit(number) for number in LIMITS],
        "streams": [stream(one) for one in (sys.stdin, sys.stdout, sys.stderr)],
        "same": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
        "descriptors": {path.name: goal(path) for path in Path("/proc/self/fd").iterdir()},
        "signals": {number: str(signal.getsignal(number)).partition(" at ")[0] for number in signal.valid_signals()},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "wakeup": signal.set_wakeup_fd(-1),
        "threads": threading.active_count(),
        "zone": time.tzname,
        "temporary": tempfile.gettempdir(),
        "home": [
            credentials.SSOProvider._SSO_TOKEN_CACHE_DIR,
            tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR,
            loaders.Loader.CUSTOMER_DATA_PATH,
            utils.JSONFileCache.CACHE_DIR,
            utils.JSONFileCache()._working_dir,
        ],
    }


def goal(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return "the listing itself"


if __name__ == "__main__":
    Path("seen.json").write_text(json.dumps(seen()))
    Path("chance").write_text(f"{random.random()} {os.getpid()}")
    sys.exit(7)
