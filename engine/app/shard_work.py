"""What a worker does: plan or carry out one shard, as a table of plain values says.

The same as `plan --shard` and `apply --shard` do. Credentials are those of the worker's own environment: a task has
none. Not here: who gives the tasks (`by_workers`), and what carries them (`ports.workers`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from engine.app.apply import apply
from engine.app.gate import plan_shard
from engine.app.options import AppOptions
from engine.app.process import Signals, collect_rarely, new_run_id, require_open_files, shortage_of
from engine.core.bucket_url import parse_bucket_url
from engine.core.change import Action
from engine.core.ending import foreseen, leaves, trouble_of
from engine.core.errors import BugError, ExitCode, WorkersError
from engine.core.limits import SHARD_EVENTS_MAX_COUNT, SHARD_PROGRESS_SECONDS
from engine.core.redact import Redactor, known_secrets
from engine.core.request import Request
from engine.core.shards import Shard, parse_shard
from engine.core.trouble import Trouble
from engine.ports import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.core.bucket_url import BucketUrl
    from engine.core.errors import AppfleetError
    from engine.core.identity import AppKey
    from engine.ports.events import Event
    from engine.ports.workers import Line, Values

PLAN: Final = "plan"
APPLY: Final = "apply"
# Said of the whole, by whoever gave the task.
_OF_A_RUN: Final = (
    events.PlanComputed, events.RuleFired, events.RunFinished, events.RunInterrupted, events.RunStarted,
)  # fmt: skip
_WAITS: Final = (events.LaneAwaited, events.RunWaited)
_ENDS: Final = (
    events.AppAdopted, events.AppDeleted, events.AppFailed, events.AppInService, events.AppParked, events.AppSkipped,
    events.AppStillPending,
)  # fmt: skip


def task_of(options: AppOptions, plans: Path | BucketUrl, step: str, shard: Shard, **more: object) -> dict[str, Any]:
    """Return a task as plain values. `more` are fields of the options by name that replace theirs."""
    request = options.request
    return {
        "version": version("appfleet"),
        "step": step,
        "shard": str(shard),
        "plans": str(plans if not isinstance(plans, Path) else plans.absolute()),
        "fleet_file": str(options.fleet_file.absolute()),
        "policies": [str(path.absolute()) for path in options.policies],
        "state": str(options.state_url or options.state_path.absolute()),
        "options": [list(pair) for pair in request.pairs()],
        "selectors": [list(pair) for pair in request.selectors.pairs()],
        **{name: getattr(options, name) for name in _PLAIN},
        **more,
    }


_PLAIN: Final = (
    "endpoint_url", "strict", "refresh_quotas", "wait", "deadline_s", "lock_timeout_s", "plan_age_max_s",
)  # fmt: skip


def work(task: Values, line: Line) -> dict[str, Any]:
    """Do a task; return what came of it. Raises nothing: an error is a part of the result."""
    began = time.monotonic()
    run_id = new_run_id(time.time())
    result: dict[str, Any] = {"run_id": run_id, "exit_code": int(ExitCode.OK), "summary": {}, "error": None}
    try:
        result |= _done(task, line, run_id)
    except KeyboardInterrupt:
        result["exit_code"] = int(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the other shards go on, and the result says what it was
        known = foreseen(error) or shortage_of(error) or _bug_of(error)
        result |= {"exit_code": int(known.exit_code), "error": trouble_of(known).to_json()}
    return {**result, "seconds": round(time.monotonic() - began, 3)}


def _bug_of(error: BaseException) -> AppfleetError:
    first = next(leaves(error))
    trace = first.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return BugError(f"{type(first).__name__}{place}, in a worker")


def _done(task: Values, line: Line, run_id: str) -> dict[str, Any]:
    ours = version("appfleet")
    if task["version"] != ours:
        raise WorkersError(
            f"this run is of appfleet {task['version']}, and a worker has {ours}",
            hint=f"Install appfleet {task['version']} on every worker",
        )
    collect_rarely()
    require_open_files()
    told = _Told(str(task["shard"]), line)
    options = _options(task, run_id, Stops(line))
    if task["step"] == PLAN:
        made = asyncio.run(plan_shard(options, _place(str(task["plans"])), told.emit))
        return {"summary": dict(made.summary), "complete": made.complete}
    report = asyncio.run(apply(replace(options, saved_plan=_place(str(task["plans"]))), told.emit, lambda _: True))
    if report is None:  # pragma: no cover - nobody says no
        raise BugError("a shard was declined")
    told.progress()
    summary = {outcome.value: count for outcome, count in report.summary.items()}
    return {"summary": summary, "exit_code": int(report.exit_code)}


def _place(text: str) -> Path | BucketUrl:
    return parse_bucket_url(text) or Path(text)


def _options(task: Values, run_id: str, signals: Signals) -> AppOptions:
    shards = (parse_shard(str(task["shard"])),)
    if task["step"] == PLAN:
        asked = Request.from_pairs(map(tuple, task["options"]), map(tuple, task["selectors"]))
        request = replace(asked, selectors=replace(asked.selectors, shards=shards))
    else:  # what was approved says what was asked for
        request = Request(replace(Request().selectors, shards=shards))
    state = _place(str(task["state"]))
    return AppOptions(
        Path(task["fleet_file"]),
        state_dir=state if isinstance(state, Path) else None,
        state_url=None if isinstance(state, Path) else state,
        request=request,
        run_id=run_id,
        redactor=Redactor(known_secrets(os.environ)),
        signals=signals,
        is_part=True,
        policies=tuple(map(Path, task["policies"])),
        **{name: task[name] for name in _PLAIN},
    )


class Stops(Signals):
    """The stops that a line brings, in place of signals: those of a worker's process are not for its tasks."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._lock = Lock()
        self._waiting: list[str] = []
        self._pass_on: Callable[[str], object] | None = None
        line.on_stop(self._stop)

    def _stop(self, name: str) -> None:
        with self._lock:
            if self._pass_on is None:
                self._waiting.append(name)
            else:
                self._pass_on(name)

    @contextmanager
    def directed_to(
        self, take: Callable[[str], None], call_soon: Callable[[Callable[[str], None], str], object]
    ) -> Iterator[None]:
        """Pass the name of each stop to `take` for the length of the block, those from before it too."""
        with self._lock:
            self._pass_on = lambda name: call_soon(take, name)
            for name in self._waiting:
                self._pass_on(name)
            self._waiting.clear()
        try:
            yield
        finally:
            with self._lock:
                self._pass_on = None


class _Told:
    """What a shard tells: warnings and waits, as far as there are not too many, and now and then how far it is."""

    def __init__(self, shard: str, line: Line) -> None:
        self._shard = shard
        self._line = line
        self._left = SHARD_EVENTS_MAX_COUNT
        self._wanted = 0
        self._ended: set[AppKey] = set()
        self._counts: Counter[str] = Counter()
        self._told_at = time.monotonic()

    def emit(self, event: Event) -> None:
        """Pass an event on, or count it."""
        if isinstance(event, events.RunStarted):
            self._wanted = event.changes
        if isinstance(event, _ENDS) and getattr(event, "action", "") != Action.NONE.value:
            self._ended.add(event.key)
            self._counts["failed"] += isinstance(event, events.AppFailed)
            if time.monotonic() - self._told_at >= SHARD_PROGRESS_SECONDS:
                self.progress()
        is_loud = event.loudness() in ("warning", "error") and not isinstance(event, _OF_A_RUN)
        if self._left and (is_loud or isinstance(event, _WAITS)):
            self._left -= 1
            self._line.tell(event)

    def progress(self) -> None:
        """Tell how far the shard is."""
        self._told_at = time.monotonic()
        if self._wanted:
            ended = min(len(self._ended), self._wanted)
            self._line.tell(events.ShardProgressed(self._shard, ended, self._wanted, self._counts["failed"]))


def trouble_in(result: Values) -> Trouble | None:
    """Return why a shard could not be done, or None."""
    return None if result["error"] is None else Trouble(**result["error"])
