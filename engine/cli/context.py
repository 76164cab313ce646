"""What every command shares: the global flags, and the options that the composition root takes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.cli.argv import SIMULATE
from engine.cli.call import DASH, FALSE_WORDS, FLEET_FILE_NAME, RUNNING, WITHOUT_FILES, Call

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.core.identity import AppKey
    from engine.core.log_options import LogFormat, LogLevel
    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from engine.core.shards import Shard

_TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
# A command to run stands behind a colon or between backquotes; in the midst of a sentence it is only named.
_COMMAND: Final = re.compile(r"(?P<before>: |:\n +|`)appfleet (?P<name>[a-z][a-z-]+)(?![\w-])")
_OF_ANY_FOLDER: Final = frozenset({"init", "import", "discover", *WITHOUT_FILES})  # they read no fleet
_IN_A_WORLD: Final = frozenset({*RUNNING, "plan", "status", "explain"})


@dataclass(frozen=True, slots=True)
class Globals:
    """The global flags as they were given."""

    fleet_file: Path
    log_format: LogFormat
    log_file: Path | None
    log_level: LogLevel | None
    state_dir: str | None
    endpoint_url: str | None
    call: Call = field(default_factory=lambda: Call(()))
    policies: tuple[Path, ...] = ()


def simulate_of(text: str | None) -> str | None:
    """Read `--simulate`: None is off, empty is a world made for the fleet, else a scenario's file.

    A variable in the environment can say true or false, since it cannot be given without a value.
    """
    if text is None or (text and text.lower() in FALSE_WORDS):
        return None
    if text.lower() in _TRUE_WORDS:
        return ""
    from engine.app.named_file import path_problem
    from engine.cli.named import DASH_HINT, DASH_REFUSED
    from engine.core.errors import UsageError

    if text == DASH:
        raise UsageError(f"--simulate: {DASH_REFUSED}", hint=DASH_HINT)
    message, hint = path_problem(text)
    if message:
        raise UsageError(f"--simulate={text} {message}", hint=hint)
    return text


def duration_of(text: str | None, flag: str) -> float | None:
    """Read a duration such as 2h into seconds. Raises UsageError, naming the flag, when it is not one."""
    if text is None:
        return None
    from engine.core.durations import parse_duration
    from engine.core.errors import UsageError

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def instant_of(text: str | None, flag: str) -> datetime | None:
    """Read an RFC 3339 time, in UTC. Raises UsageError, naming the flag, when it is not one."""
    if text is None:
        return None
    from engine.core.errors import UsageError
    from engine.core.hours import INSTANT_EXAMPLE, parse_instant
    from engine.core.text import SHOWN_VALUE_MAX_CHARS, clean

    found = parse_instant(text)
    if found is None:
        hint = f"Write a day, a time and its zone: {INSTANT_EXAMPLE}, or 2026-12-31T21:00:00+01:00"
        raise UsageError(f'{flag}: "{clean(text, SHOWN_VALUE_MAX_CHARS)}" is not an RFC 3339 time', hint=hint)
    return found


def options_of(globals_: Globals) -> AppOptions:
    """Return the composition root's options, as the global flags set them."""
    from pathlib import Path

    from engine.app.options import AppOptions
    from engine.cli.crash import redactor
    from engine.core.bucket_url import parse_bucket_url

    named = globals_.state_dir
    url = None if named is None else parse_bucket_url(named)
    return AppOptions(
        fleet_file=globals_.fleet_file,
        policies=globals_.policies,
        redactor=redactor(),
        state_dir=None if named is None or url is not None else Path(named),
        state_url=url,
        run_id=globals_.call.run_id,
        signals=globals_.call.signals,
        endpoint_url=globals_.endpoint_url,
        report_to=globals_.call.report_to,
        trace=globals_.call.trace,
        command_line=next_apply,
    )


def key_of(text: str, flag: str) -> AppKey:
    """Read an app key. Raises UsageError, naming the flag, when it is not one."""
    from engine.core.errors import UsageError
    from engine.core.identity import parse_app_key

    try:
        return parse_app_key(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.message}", hint=error.hint) from None


def next_apply(options: AppOptions, saved: Path | BucketUrl | None = None) -> str:
    """Return the command that applies a plan with `options`, as a reader would type it: apply, or what is more than it.

    `saved` is where the plan was saved: it holds its selectors and flags itself.
    """
    if options.again:
        return typed(options, *options.again)
    if options.selectors.shard is not None:
        return _next_of_shard(options, options.selectors.shard, saved)
    strict = ["--strict"] if options.strict else []
    asked = [str(saved)] if saved is not None else options.request.argv(*strict)
    crew = options.crew.argv() if options.crew is not None else []
    return typed(options, "apply", *simulation(options), *crew, *asked)


def _next_of_shard(options: AppOptions, shard: Shard, saved: Path | BucketUrl | None) -> str:
    """Return the step that follows: plan it where it can be approved, approve all shards, or apply it again."""
    if options.saved_plan is not None:
        return typed(options, "apply", *simulation(options), "--shard", str(shard), str(options.saved_plan))
    if saved is not None:
        return typed(options, "gate", "--shards", str(shard.count), str(saved))
    strict = ["--strict"] if options.strict else []
    return typed(options, "plan", *simulation(options), *options.request.argv(*strict), "--out", "PLANS")


def next_report(options: AppOptions) -> str:
    """Return the report command that finds the runs of `options`, as a reader would type it from anywhere."""
    return typed(replace(options, endpoint_url=None), "report")


def typed(options: AppOptions, *words: str) -> str:
    """Return a command over this fleet, state folder and endpoint, as a reader would type it."""
    parts = ["appfleet"]
    if str(options.fleet_file) != FLEET_FILE_NAME:
        parts += ["-f", str(options.fleet_file)]
    parts += [word for folder in options.policies for word in ("--policies", str(folder))]
    if (state := options.state_url or options.state_dir) is not None:
        parts += ["--state-dir", str(state)]
    if options.endpoint_url:
        parts += ["--endpoint-url", options.endpoint_url]
    return shlex.join([*parts, *words])


def with_typed(text: str, options: AppOptions) -> str:
    """Return `text` with the flags of this call in each command that it says to run, so that it can be pasted."""
    from engine.render.layout import COMMAND_NAMES

    def command(found: re.Match[str]) -> str:
        name = found["name"]
        if name in _OF_ANY_FOLDER or name not in COMMAND_NAMES:
            return found[0]
        is_whole = name not in _IN_A_WORLD or SIMULATE in text[found.end() :].partition("\n")[0]
        return found["before"] + typed(options, name, *(() if is_whole else simulation(options)))

    return _COMMAND.sub(command, text)


def simulation(options: AppOptions) -> list[str]:
    """Return the flag of a simulated world, where there is one."""
    if options.simulate is None:
        return []
    return [f"{SIMULATE}={options.simulate}" if options.simulate else SIMULATE]


def next_after(made: Plan | ApplyReport, options: AppOptions, saved: Path | BucketUrl | None = None) -> str:
    """Return the command that is next after a plan or a run: the same one, with the flags that lift what stopped it.

    A plan that was denied is made again, since a saved one keeps the flags that it was made with.
    """
    from engine.app.next_options import lifting

    return next_apply(lifting(options, made), None if made.denied else saved)
