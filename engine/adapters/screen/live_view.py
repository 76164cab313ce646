"""The live view of a run on a terminal, drawn with rich: how far it is, a line a bucket, the last failures.

The only module that imports rich. It gives text and draws nothing itself: the line writer does, since it neither
waits for a terminal that was stopped nor lets a log line tear the picture.

It is one text that is printed once, not a table or a group of rich's: those take several times as long, and a frame
must cost less than what a slow run does in the half second between two of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Final, Literal, NamedTuple

from rich.console import Console
from rich.text import Text

from engine.adapters.screen.run_state import Group, Parked, RunState
from engine.core.limits import LIVE_GROUPS_SHOWN_MAX_COUNT
from engine.core.plan import Plan
from engine.core.rough import rough
from engine.core.text import clean, count_of
from engine.ports import events

BAR_MAX_CHARS: Final = 40
BAR_MIN_CHARS: Final = 10
BAR_DONE: Final = "━"
BAR_LEFT: Final = "─"  # another sign, so that the bar can be read without colour
WIDTH_MIN_CHARS: Final = 20
ROW_FIXED_CHARS: Final = 14  # the state of a row, and the blanks between its cells
NAME_MIN_CHARS: Final = 6
NAME_USUAL_CHARS: Final = len("KernelGateway/ml.g4dn.16xlarge")
DETAIL_INDENT: Final = "    "  # of what there is to say of a row and does not fit behind it
PART_GAP: Final = "; "
LINES_BESIDE_GROUPS: Final = 8  # the bar, the calls, failures, and the line on which a person types


State = Literal["parked", "running", "waiting", "done", "failed"]


class Row(NamedTuple):
    """One line of a bucket: its state, its name, how many of how many, and what else there is to say."""

    state: State
    name: str
    done: str
    more: str


STYLES: Final[Mapping[State, str]] = {
    "parked": "yellow",
    "running": "cyan",
    "waiting": "",
    "done": "green",
    "failed": "red",
}
# What a reader looks for first.
_ORDER: Final[tuple[State, ...]] = ("parked", "running", "failed", "waiting", "done")


class LiveView:
    """Counts events, and gives frames. `size` gives the terminal's columns and lines, which may change."""

    def __init__(
        self,
        show: Callable[[str], None],
        *,
        clock: Callable[[], float],
        size: Callable[[], tuple[int, int]],
        colour: bool,
    ) -> None:
        self._show = show
        self._size = size
        self._state = RunState(clock)
        self._console = Console(
            file=StringIO(),
            force_terminal=True,
            color_system="standard" if colour else None,
            no_color=not colour,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def emit(self, event: events.Event) -> None:
        """Count `event`; frames are drawn by `tick` alone."""
        self._state.emit(event)

    def expect(self, plan: Plan) -> None:
        """Note what will be done."""
        self._state.expect(plan)

    def tick(self) -> None:
        """Show a new frame."""
        self._show(self.frame())

    def frame(self) -> str:
        """Return the picture as it stands: lines that fit the terminal, without a last line break."""
        columns, lines = self._size()
        width = max(columns - 1, WIDTH_MIN_CHARS)
        self._console.width = width
        parts = [self._head(width)]
        if self._state.running:
            calls = [*self._calls(width), *self._canaries()]
            parts += calls
            parts += self._groups(max(lines - LINES_BESIDE_GROUPS - len(calls) + 1, 1), width)
            parts += [self._failure(event) for event in self._state.failures]
        for part in parts:
            part.truncate(width, overflow="ellipsis")
        with self._console.capture() as capture:
            self._console.print(Text("\n").join(parts), no_wrap=True, overflow="ignore", crop=False, end="")
        return capture.get()

    def _head(self, width: int) -> Text:
        state = self._state
        elapsed = clock_of(state.clock() - state.started_at)
        if not state.running:
            found = f", {state.listed:,} apps so far" if state.listed else ""
            return Text(f"{elapsed}  listing{found}")
        done = len(state.ended)
        left_s = state.left_s()
        left = f"  about {rough(left_s)} left" if left_s is not None else ""
        if state.stop_cause:
            left = f"  stopping: {clean(state.stop_cause)}"
        name = clean(state.fleet)
        tail = f"{done:,} of {state.wanted:,}  {elapsed}{left}"
        room = width - len(name) - len("  ") - len(tail)
        if room < 0:  # the numbers change and the name does not: it gives way first
            size = len(name) + room
            return Text.assemble((f"{name[: size - 1]}…  ", "bold"), tail) if size >= NAME_MIN_CHARS else Text(tail)
        head = Text.assemble((name, "bold"), "  ")
        size = min(room - len("  "), BAR_MAX_CHARS)
        if size >= BAR_MIN_CHARS:
            filled = size * done // max(state.wanted, done, 1)
            head.append(BAR_DONE * filled, "green").append(BAR_LEFT * (size - filled), "dim").append("  ")
        return head.append(tail)

    def _calls(self, width: int) -> list[Text]:
        state = self._state
        allowed = f" of {sum(state.rates.values()):.1f} allowed" if state.rates else ""
        parts = [Text(f"{state.calls_per_second():.1f} calls/s{allowed}")]
        if state.owners_done:
            parts.append(Text(state.owners_done))
        if state.throttled:
            parts.append(Text(f"{state.throttled:,} throttled", "yellow"))
        if state.starting:
            parts.append(Text(f"{len(state.starting):,} starting"))
        if state.failed:
            parts.append(Text(f"{len(state.failed):,} failed", "red"))
        return _flowing(parts, "", width)

    def _canaries(self) -> list[Text]:
        """Return one line for all that waits until the first app of its shape is in service."""
        awaited = [one for waiting in self._state.canaries.values() for one in waiting]
        if not awaited:
            return []
        apps = sum(one.waiting for one in awaited)
        key = clean(str(awaited[0].key))
        if len(awaited) == 1:
            return [Text(f"{count_of(apps, 'app')} {'waits' if apps == 1 else 'wait'} for the canary {key}")]
        return [Text(f"{apps:,} wait for {len(awaited):,} canaries, such as {key}")]

    def _groups(self, lines_max: int, width: int) -> list[Text]:
        rows = self._rows()
        shown = rows[: min(LIVE_GROUPS_SHOWN_MAX_COUNT, lines_max)]
        done_size = max((len(row.done) for row in shown), default=0)
        longest = max((len(row.name) for row in shown), default=0)
        room = width - ROW_FIXED_CHARS - done_size
        beside = room - max((len(row.more) for row in shown if row.state == "parked"), default=0)
        # A very long name gives way to what stands behind it, and that goes below rather than cut a usual one.
        name_size = min(longest, beside if beside >= min(longest, NAME_USUAL_CHARS) else max(room, NAME_MIN_CHARS))
        drawn: list[Text] = []
        count = 0
        for row in shown:
            lines = _drawn(row, name_size, done_size, width)
            if drawn and len(drawn) + len(lines) > lines_max:
                break
            drawn += lines
            count += 1
        if len(rows) > count:
            drawn.append(Text(f"  and {len(rows) - count:,} more", "dim"))
        return drawn

    def _rows(self) -> list[Row]:
        """Return a row a bucket; a quota that is no bucket's, such as an account's, has one of its own."""
        rows: list[Row] = []
        gates = dict(self._state.parked)
        of_bucket: defaultdict[str, list[str]] = defaultdict(list)
        for gate in gates:  # its name is the bucket's with account and region before it
            for bucket in gate.rstrip("/").split("/", 2)[2:]:
                of_bucket[bucket].append(gate)
        for name, group in self._state.groups.items():
            found = of_bucket.get(name, ())
            own = found[0] if len(found) == 1 else None
            rows.append(self._row(name, group, None if own is None else gates.pop(own)))
        rows += [
            Row("parked", clean(gate), "", self._waiting(parked, parked.waiting)) for gate, parked in gates.items()
        ]
        return sorted(rows, key=lambda row: (_ORDER.index(row.state), row.name))

    def _row(self, name: str, group: Group, parked: Parked | None) -> Row:
        done = f"{group.ended:,}/{group.wanted:,}"
        if parked is not None:
            return Row("parked", clean(name), done, self._waiting(parked, group.left))
        starting = f"{group.starting:,} starting" if group.starting else ""
        failed = f"{group.failed:,} failed" if group.failed else ""
        more = "; ".join(part for part in (starting, failed) if part)
        if group.ended >= group.wanted and not group.starting:
            return Row("failed" if group.failed else "done", clean(name), done, failed)
        return Row("running" if group.starting or group.ended else "waiting", clean(name), done, more)

    def _waiting(self, parked: Parked, waiting: int) -> str:
        used = f"; {parked.used:,} of {parked.value:,} used" if parked.used is not None and parked.value else ""
        seconds = parked.probe_at - self._state.clock()
        probe = f"next probe in {rough(seconds)}" if seconds > 0 else "probing"
        return f"{waiting:,} waiting; {probe}{used}"

    def _failure(self, event: events.AppFailed) -> Text:
        return Text.assemble(("  failed  ", "red"), clean(f"{event.key}: {event.code}: {event.message}"))


def _drawn(row: Row, name_size: int, done_size: int, width: int) -> list[Text]:
    """Return a row; what it waits for, and until when, goes below it where it does not fit behind it."""
    line = Text("  ").append(row.state.ljust(8), STYLES[row.state])
    line.append(f"{_cut(row.name, name_size).ljust(name_size)}  {row.done.rjust(done_size)}")
    style = STYLES["parked"] if row.state == "parked" else ""
    if row.state == "parked" and len(line) + len("  ") + len(row.more) > width:
        return [line, *_flowing([Text(part, style) for part in row.more.split(PART_GAP)], DETAIL_INDENT, width)]
    return [line.append(f"  {row.more}", style) if row.more else line]


def _flowing(parts: Sequence[Text], indent: str, width: int) -> list[Text]:
    """Return parts one behind the other, on as many lines as they need to stay whole."""
    lines: list[Text] = []
    for part in parts:
        if lines and len(lines[-1]) + len(PART_GAP) + len(part) <= width:
            lines[-1].append(PART_GAP).append(part)
        else:
            lines.append(Text(indent).append(part))
    return lines


def _cut(name: str, size: int) -> str:
    """Return a name in `size` characters: its end tells more than its beginning."""
    return name if len(name) <= size else f"…{name[len(name) - size + 1 :]}"


def clock_of(seconds: float) -> str:
    """Return `0:07` or `1:02:07`."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
