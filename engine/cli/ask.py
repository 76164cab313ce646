"""The question before a run, on the terminal: the plan, then one word."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from engine.app.process import caught_here, name_of
from engine.cli.output import fitted, is_terminal, show, wants_colour, width_of
from engine.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from engine.app.gate import Verdict
    from engine.cli.sinks import Sinks
    from engine.core.plan import Plan

YES: Final = "yes"
_QUESTION: Final = "Apply these changes{more}? Only '{word}' is accepted: "


def can_ask() -> bool:
    """Whether there is somebody to ask: a terminal to read from, and one to see the question on."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def require_answer(*, yes: bool) -> None:
    """Raise UsageError where nobody can be asked, unless the answer is `yes` already."""
    if not (yes or can_ask()):
        raise UsageError("No terminal to ask for confirmation", hint="Use --yes")


def confirm_with(sinks: Sinks, *, yes: bool, word: str = "") -> Callable[[Plan], bool]:
    """Return the function that the engine asks before it changes anything.

    With `yes` the plan is shown on a terminal all the same, and nothing is asked. `word` must be typed instead of yes.
    """

    def confirm(plan: Plan) -> bool:
        sinks.clear()
        sinks.expect(plan)
        if can_ask() or (yes and is_terminal(sys.stderr)):
            _show(plan)
        return yes or _answer(question(plan, word or YES), word or YES)

    return confirm


def confirm_verdict_with(sinks: Sinks, *, yes: bool) -> Callable[[Verdict], bool]:
    """Return the function that the engine asks before workers change anything; it shows as `confirm_with` does."""
    from engine.render.gate_text import gate_text

    def confirm(verdict: Verdict) -> bool:
        sinks.clear()
        if can_ask() or (yes and is_terminal(sys.stderr)):
            show(fitted(gate_text(verdict, next_command=""), sys.stderr) + "\n")
        return yes or _answer(_QUESTION.format(more="", word=YES), YES)

    return confirm


def _show(plan: Plan) -> None:
    from engine.render.plan_text import plan_text

    text = plan_text(plan, colour=wants_colour(sys.stderr), width=width_of(sys.stderr), next_command="")
    show(fitted(text, sys.stderr) + "\n")


def _going(plan: Plan) -> str:
    """Return a sentence about the volumes that go, which nothing brings back; empty where none does."""
    from engine.core.change import Action
    from engine.core.identity import SPACE
    from engine.core.text import count_of

    spaces = sum(change.action is Action.DELETE and change.owner.kind == SPACE for change in plan.owners)
    return f"{count_of(spaces, 'space goes with its volume', 'spaces go with their volumes')}. " if spaces else ""


def _answer(asked: str, word: str) -> bool:
    """Ask, and take only the whole word; the end of input is a no. An interrupt is raised as KeyboardInterrupt."""
    # An event loop turns signals into work for itself, which it cannot do while this waits for a line.
    before = {number: signal.signal(number, _interrupt) for number in caught_here()}
    try:
        show(asked)
        return line_typed().strip() == word
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def question(plan: Plan, word: str) -> str:
    """Return the question. It names updates of user profiles and spaces, which no app of the plan shows."""
    from engine.render.owners_text import updates_counted

    updates = updates_counted(plan)
    return _going(plan) + _QUESTION.format(more=f" ({updates})" if updates else "", word=word)


def line_typed() -> str:
    """Return the next line that is typed, or nothing at the end of input. A signal ends the wait whenever it comes."""
    # One that comes just before a read begins would be acted on only after the line: the kernel does not know of it.
    # So signals are also written to a pipe, which is waited for together with the terminal.
    with _signals_in_a_pipe() as pipe, suppress(io.UnsupportedOperation):  # of a stream that is not a file
        select.select([sys.stdin, pipe], [], [])
    return sys.stdin.readline()


@contextmanager
def _signals_in_a_pipe() -> Iterator[int]:
    """Yield the reading end of a pipe that gets a byte with each signal."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(name_of(number))
