"""One target fed with inputs until its time or its count is up: what is new is kept, what breaks is named.

An input whose outcome was not seen before joins those that are changed further, so the inputs work their way into the
code. The same seed and count give the same inputs. Not here: how inputs are made (`mutate`) or read (`targets`).
"""

from __future__ import annotations

import hashlib
import random
import signal
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.core.errors import AppfleetError, BugError
from tests.fuzz.mutate import Mutator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tests.fuzz.targets import Target

SLOW_SECONDS: Final = 2.0  # of processor time, for one input
ENDLESS_SECONDS: Final = 30  # of processor time, after which an input is cut off
KEPT_MAX_COUNT: Final = 4_000


class EndlessError(Exception):
    """An input whose work did not end."""


@dataclass(frozen=True, slots=True)
class Crasher:
    """An input that did what none may: its kind names the exception and the place, or `slow`."""

    kind: str
    data: bytes
    detail: str

    @property
    def name(self) -> str:
        """Its file's name in the corpus."""
        return f"crash-{hashlib.sha256(self.data).hexdigest()[:12]}"


@dataclass(slots=True)
class Session:
    """The course of one target. `measures` is off in tests, where a busy machine must fail nothing."""

    target: Target
    seed: str
    measures: bool = True
    executions: int = 0
    slowest_s: float = 0.0
    crashers: dict[str, Crasher] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _kept: list[bytes] = field(default_factory=list)

    def play(self, *, seconds: float | None = None, count: int | None = None) -> None:
        """Run every known input, then new ones until `seconds` or `count` are over."""
        end = None if seconds is None else time.monotonic() + seconds
        rng = random.Random(f"{self.seed}:{self.target.name}")
        mutator = Mutator(rng, self.target.words, is_json=self.target.is_json)
        known = self.target.inputs()
        for data in known:
            self._one(data)
        self._kept = list(known)
        made = 0
        while (end is None or time.monotonic() < end) and (count is None or made < count):
            made += 1
            data = mutator.mutated(rng.choice(self._kept), self._kept)
            if self._one(data) and len(self._kept) < KEPT_MAX_COUNT:
                self._kept.append(data)

    def _one(self, data: bytes) -> bool:
        """Run one input; whether its outcome was not seen before."""
        self.executions += 1
        started = time.process_time()
        try:
            with _limited(on=self.measures):
                outcome = self.target.run(data)
        except AppfleetError as error:
            if isinstance(error, BugError):
                self._broke(data, error)
                return False
            outcome = f"{type(error).__name__}: {error}"
        except (MemoryError, Exception) as error:  # noqa: BLE001 - this is what is looked for
            self._broke(data, error)
            return False
        took = time.process_time() - started
        self.slowest_s = max(self.slowest_s, took)
        if self.measures and took > SLOW_SECONDS:
            self._add(Crasher(f"slow: {_shape(outcome)[:80]}", data, f"{took:.1f} s of processor time"))
        shape = _shape(outcome)
        is_new = shape not in self._seen
        self._seen.add(shape)
        return is_new

    def _broke(self, data: bytes, error: BaseException) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/engine/" in frame.filename]
        place = f"{frames[-1].filename.rpartition('/engine/')[2]}:{frames[-1].lineno}" if frames else "outside"
        detail = "".join(traceback.format_exception(error))
        self._add(Crasher(f"{type(error).__name__} at {place}", data, detail))

    def _add(self, crasher: Crasher) -> None:
        known = self.crashers.get(crasher.kind)
        if known is None or len(crasher.data) < len(known.data):
            self.crashers[crasher.kind] = crasher


def _shape(outcome: str) -> str:
    """Return an outcome without what differs from one input to the next: numbers and quoted text."""
    parts = outcome.replace('"', "'").split("'")[::2]
    return "".join("#" if char.isdigit() else char for char in " ".join(parts))[:400]


@contextmanager
def _limited(*, on: bool) -> Iterator[None]:
    """Cut off what uses more processor time than the bound; only in the main thread, and only where measured."""
    if not on:
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise EndlessError(f"more than {ENDLESS_SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, ENDLESS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
