"""The process that `tests.warm` forks the command line from: it reads every module once, then forks for each order.

`python -m tests.warm_server`, with a socket for its standard input. It ends when the socket's other end is closed, by
whatever, and takes with it what it has forked. A child leaves the loop of the server and goes on below it, at the level
of the module, so that it ends as `python -m engine` does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import runpy
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

import engine
from engine.policy.cel import environment_for
from engine.policy.rules import Scope
from engine.render.report import page
from tests.hasty import be_hasty
from tests.warm import DISPOSITIONS, LOCALE, ORDER_MAX_BYTES, TOLD

# What the engine imports within its functions, and what those packages import within theirs.
_LATE: Final = (
    "encodings.unicode_escape",
    "importlib.resources.readers",
    "typer._adapters",
    "zoneinfo._tzpath",
)
_MODELS: Final = (
    "sagemaker",
    "sts",
    "service-quotas",
    "resourcegroupstaggingapi",
    "pricing",
    "sso-admin",
    "identitystore",
)
_DATA: Final = ("endpoints", "partitions", "_retry")
_DESCRIPTORS_MAX_COUNT: Final = 1 << 20
_LINK: Final = 0


def read_modules() -> None:
    """Import whatever a command may need, and nothing that depends on a command's variables."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # as the entry does, before it imports a model
    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    read_service_files()
    remember_event_names()
    build_models(BaseModel)
    fill_caches()
    gc.collect()
    gc.freeze()  # the collector of a child leaves alone what it shares with the server


def read_service_files() -> None:
    """Read what clients and the simulator are made from: a child finds it in memory, unless it has files of its own."""
    from engine.service_models.model_file import read_json
    from engine.service_models.search import botocore_folder, installed_model

    for service in _MODELS:
        read_json(installed_model(service))
    for name in _DATA:
        read_json(next(str(file) for file in Path(botocore_folder()).glob(f"{name}.json*")))


def remember_event_names() -> None:
    """Keep what the library calls its events, which it looks up for each handler of each session and client."""
    from botocore.hooks import EventAliaser
    from botocore.session import Session

    look_up, known = EventAliaser._alias_event_name, dict[str, str]()

    def alias(aliaser: EventAliaser, name: str) -> str:
        if name not in known:
            known[name] = look_up(aliaser, name)
        return known[name]

    EventAliaser._alias_event_name = alias
    Session()


def build_models(base: type[BaseModel]) -> None:
    """Build what pydantic checks a table with, which it does at the first table otherwise."""
    for one in base.__subclasses__():
        if one.__module__.startswith("engine."):
            one.model_rebuild()
        build_models(one)


def fill_caches() -> None:
    """Make what the product makes once in a process, at its first use, of what its own package holds."""
    for scope in Scope:
        environment_for(scope)
    page.templates().environment.get_template("report.html")


class Server:
    """Forks for each order, and tells of each child its pid, then its exit code."""

    def __init__(self) -> None:
        self._link = socket.socket(fileno=os.dup(_LINK))
        self._children: dict[int, int] = {}  # pid to the descriptor that its end is told on
        self._woken, self._wake = os.pipe()
        for descriptor in (self._woken, self._wake):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends the server
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> dict[str, Any]:
        """Serve until a child has an order to carry out, and return that to it; the server itself does not return."""
        while True:
            ready, _, _ = select.select([self._link.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, ORDER_MAX_BYTES)
                self._tell_ends()
            if self._link.fileno() in ready and (order := self._take_order()) is not None:
                return order

    def _take_order(self) -> dict[str, Any] | None:
        data, descriptors, _, _ = socket.recv_fds(self._link, ORDER_MAX_BYTES, 4)
        if not data:
            self._end()
        *streams, told = descriptors
        # A signal that comes for the child before it has its own handlers waits until it has them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if not pid:
            self._link.detach()
            order: dict[str, Any] = json.loads(data)
            become(order, streams)
            return order
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
        for descriptor in streams:
            os.close(descriptor)
        self._children[pid] = told
        self._tell(told, pid)
        return None

    def _tell_ends(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            told = self._children.pop(pid)
            self._tell(told, os.waitstatus_to_exitcode(status))
            os.close(told)

    def _tell(self, descriptor: int, number: int) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(descriptor, TOLD.pack(number))

    def _end(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
        os._exit(0)


def become(order: dict[str, Any], streams: list[int]) -> None:
    """Make of the forked process what a process is that Python has just started."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, _DESCRIPTORS_MAX_COUNT)
    os.chdir(order["cwd"])
    os.umask(order["umask"])
    for number, limit in order["limits"]:
        resource.setrlimit(number, limit)
    # Python itself adds to the variables where they ask for no encoding.
    added = {name: value for name, value in os.environ.items() if LOCALE.match(name)}
    os.environ.clear()
    os.environ.update({**added, **order["environment"]})
    time.tzset()
    _move_home()
    sys.argv[1:] = order["words"]
    sys.path[0] = order["cwd"]
    _open_streams()
    if order["hasty"]:
        be_hasty()
    _reset_signals(order["ignored"])


def _move_home() -> None:
    """Compute again what botocore computes from HOME as it is imported."""
    from botocore import credentials, loaders, tokens, utils

    sso = os.path.expanduser("~/.aws/sso/cache")  # noqa: PTH111
    tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = sso
    credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = sso
    loaders.Loader.CUSTOMER_DATA_PATH = os.path.expanduser("~/.aws/models")  # noqa: PTH111
    cache = os.path.expanduser("~/.aws/boto/cache")  # noqa: PTH111
    utils.JSONFileCache.CACHE_DIR = cache
    utils.JSONFileCache.__init__.__defaults__ = (cache, None)


def _open_streams() -> None:
    """Make the three streams anew: whether one is a terminal, and is buffered by lines, is seen as it is made."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, f"__{name}__")
        raw = io.open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115, UP020
        raw.raw.name = f"<{name}>"  # type: ignore[attr-defined]
        stream = io.TextIOWrapper(raw, before.encoding, before.errors, "\n", line_buffering=number == 2 or raw.isatty())
        stream.mode = "w" if number else "r"  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _reset_signals(ignored: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in DISPOSITIONS:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())


def end_early(code: object) -> None:
    """End as Python does, up to where it takes apart what is in memory: a child would copy all that it shares for that.

    Returns where there is more to do than to leave: what cannot be written, or an exit code that is a text.
    """
    if not (code is None or isinstance(code, int)):
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what nobody holds any more says so, if it was left open
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(int(code or 0) & 0xFF)


if __name__ == "__main__":
    read_modules()
    module = Server().serve()["module"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        end.__traceback__ = None
        end_early(end.code)
        raise
