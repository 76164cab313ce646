"""Where a signal goes: before, during and after a run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from engine.adapters.signals import STOPPING, Signals, caught_here

if TYPE_CHECKING:
    from types import FrameType

WAIT_MAX_SECONDS = 180


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPPING)
def test_before_a_run_a_signal_ends_the_command_by_its_name(number: signal.Signals) -> None:
    with Signals().caught(), pytest.raises(KeyboardInterrupt, match=number.name):
        signal.raise_signal(number)


def test_a_signal_that_arrives_where_python_drops_exceptions_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def drop_and_wait() -> None:
        Dropping()
        threading.Event().wait(WAIT_MAX_SECONDS)

    before = sys.unraisablehook
    with Signals().caught(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        drop_and_wait()
    assert sys.unraisablehook is before
    assert capfd.readouterr().err == ""


def test_what_else_is_dropped_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("ours")

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_type))
    with Signals().caught():
        Broken()
    assert told == [ValueError]


def test_in_a_run_it_goes_to_the_run_and_after_it_it_waits() -> None:
    late: list[bool] = []
    signals = Signals(lambda: late.append(True))
    taken: list[str] = []

    async def run() -> None:
        arrived = asyncio.Event()

        def take(name: str) -> None:
            taken.append(name)
            arrived.set()

        with signals.directed_to(take, asyncio.get_running_loop().call_soon_threadsafe):
            send(signal.SIGHUP)
            await arrived.wait()

    with signals.caught():
        asyncio.run(run())
        assert taken == ["SIGHUP"]
        send(signal.SIGTERM)
        while not late:
            threading.Event().wait(0.01)
    assert taken == ["SIGHUP"]


def test_it_leaves_the_handlers_as_it_found_them() -> None:
    before = {number: signal.getsignal(number) for number in STOPPING}
    with Signals().caught():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in STOPPING} == before


def test_a_process_that_has_its_exit_code_ignores_them_to_the_end() -> None:
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        with Signals().caught(to_the_end=True):
            pass
        assert {signal.getsignal(number) for number in STOPPING} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_an_ignored_hangup_stays_ignored_and_an_ignored_interrupt_does_not() -> None:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        assert caught_here() == (signal.SIGINT, signal.SIGTERM)
        with Signals().caught():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            send(signal.SIGHUP)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_in_another_thread_nothing_is_caught() -> None:
    seen: list[object] = []

    def work() -> None:
        with Signals().caught():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


class SignalAt:
    """Raises a signal before the instruction of a number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> SignalAt:
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGTERM)
        return self


def end_of_a_run(number: int) -> str:
    """End a run with a signal in the place of that number; return who got the signal, or nothing."""
    got: list[str] = []
    signals = Signals(lambda: got.append("what is behind the run"))
    before = sys.gettrace()
    with signals.caught():
        try:
            with signals.directed_to(lambda _: got.append("the run"), lambda take, name: take(name)):
                sys.settrace(SignalAt(number))
        except KeyboardInterrupt:
            got.append("nobody")
        finally:
            sys.settrace(before)
    return "".join(got)


def test_a_signal_in_any_place_where_a_run_ends_costs_no_result() -> None:
    who = [end_of_a_run(number) for number in range(1, 60)]
    assert set(who) == {"the run", "what is behind the run", ""}
