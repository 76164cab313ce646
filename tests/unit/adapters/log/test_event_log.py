"""The log: one line an event, with nothing in it that could do harm, and no way for it to end a run."""

from __future__ import annotations

import json
import logging
import os
from collections import namedtuple
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.log.event_log import LIBRARY_LOGGERS, EventLog, LibraryHandler
from engine.adapters.log.line_writer import LineWriter
from engine.adapters.log.log_format import RESERVED, iso_time, safe_facts
from engine.adapters.named_file import open_to_append
from engine.core.identity import AppKey, Lane
from engine.core.log_options import LogFormat, LogLevel
from engine.core.redact import Redactor, is_secret_name
from engine.core.text import REDACTED
from engine.ports import events
from tests.fleets import LAB, LANE, key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_795_500_382.1239
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
HOSTILE = 'a\x1b[2J\u202e\n{"event":"forged"}'


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., tuple[EventLog, Callable[[], list[str]]]]:
    def make(log_format: LogFormat = LogFormat.JSON, **more: Any) -> tuple[EventLog, Callable[[], list[str]]]:
        path = tmp_path / "log"
        writer = LineWriter(open_to_append(path), owns_fd=True)
        log = EventLog(writer, run_id="run-1", log_format=log_format, now=lambda: NOW, **more)

        def lines() -> list[str]:
            log.close()
            return path.read_text(encoding="utf-8").splitlines()

        return log, lines

    return make


@dataclass(frozen=True, slots=True)
class AnyFact(events.Event):
    name = "test.fact"
    fact: Any


@dataclass(frozen=True, slots=True)
class Forger(events.Event):
    """Has the names that the line itself uses."""

    name = "test.forger"
    ts: str = "then"
    run_id: str = "other"
    event: str = "forged"

    def facts(self) -> dict[str, Any]:
        return {"ts": self.ts, "run_id": self.run_id, "event": self.event, "level": "fatal"}


CREATED = events.AppCreated(key_of(LAB), 1, 0.123456789, "ml.t3.medium")


def test_an_event_is_one_json_object_with_its_own_fields_behind_the_fixed_ones(make_log: Any) -> None:
    log, lines = make_log()
    log.emit(CREATED)
    assert lines() == [
        (
            '{"ts":"2026-11-24T06:06:22.123Z","level":"info","event":"app.created","run_id":"run-1",'
            f'"key":"{LAB}","attempt":1,"seconds":0.123457,"instance_type":"ml.t3.medium"}}'
        )
    ]


def test_a_console_line_has_time_level_event_subject_and_the_rest(make_log: Any) -> None:
    log, lines = make_log(LogFormat.CONSOLE)
    log.emit(CREATED)
    log.emit(events.AppFailed(key_of(LAB), "AccessDeniedException", "not allowed", "ask for it"))
    log.emit(events.LaneThrottled(LANE, "CreateApp", 1.5))
    assert lines() == [
        f"06:06:22 info  app.created          {LAB} attempt=1 seconds=0.123 instance_type=ml.t3.medium",
        f"06:06:22 error app.failed           {LAB} code=AccessDeniedException not allowed. ask for it",
        f"06:06:22 warn  lane.throttled       {LANE} operation=CreateApp rate=1.5",
    ]


def test_a_console_line_quotes_what_has_blanks_and_writes_maps_as_json(make_log: Any) -> None:
    log, lines = make_log(LogFormat.CONSOLE)
    log.emit(AnyFact("two words"))
    log.emit(AnyFact({"created": 2}))
    log.emit(AnyFact(value := True))
    assert [line.split("fact=")[1] for line in lines()] == ['"two words"', '{"created":2}', str(value).lower()]


def test_colour_stands_around_the_level_alone(make_log: Any) -> None:
    log, lines = make_log(LogFormat.CONSOLE, colour=True)
    log.emit(CREATED)
    assert lines()[0].startswith("06:06:22 \x1b[32minfo \x1b[0m app.created ")


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_no_control_character_and_no_forged_line_reaches_the_log(make_log: Any, log_format: LogFormat) -> None:
    log, lines = make_log(log_format)
    log.emit(events.AppFailed(key_of(LAB)._replace(owner=HOSTILE), HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    written = lines()
    assert len(written) == 1
    assert "\x1b" not in written[0]
    assert "\u202e" not in written[0]


def test_a_fact_never_replaces_what_the_line_itself_says(make_log: Any) -> None:
    """Row 51."""
    log, lines = make_log()
    log.emit(Forger())
    line = json.loads(lines()[0])
    assert (line["event"], line["run_id"], line["level"]) == ("test.forger", "run-1", "info")
    assert (line["event_"], line["run_id_"], line["ts_"], line["level_"]) == ("forged", "other", "then", "fatal")


def test_no_event_of_ours_has_a_field_of_a_reserved_name() -> None:
    ours = [event for event in events.Event.__subclasses__() if event.__module__.startswith(events.__name__)]
    assert len(ours) > 20
    for event in ours:
        assert RESERVED.isdisjoint(item.name for item in fields(event))


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_no_credential_reaches_the_log(make_log: Any, log_format: LogFormat) -> None:
    log, lines = make_log(log_format, redactor=Redactor([SECRET]))
    log.emit(AnyFact(f"key {KEY_ID} secret {SECRET}."))
    log.emit(AnyFact({"session_token": "short", "nested": [{"password": "p"}, SECRET]}))
    text = "\n".join(lines())
    assert SECRET not in text
    assert KEY_ID not in text
    assert "short" not in text
    assert text.count(REDACTED) == 5


def test_a_secret_that_is_learnt_later_is_taken_out_from_then_on() -> None:
    redactor = Redactor()
    assert redactor.text(SECRET) == SECRET
    redactor.learn([SECRET, SECRET[:20], "short"])
    assert redactor.text(f"<{SECRET}> short") == f"<{REDACTED}> short"


@pytest.mark.parametrize(
    "name", ["secret_key", "SecretAccessKey", "aws_session_token", "Authorization", "password", "X-Amz-Security-Token"]
)
def test_names_that_hold_credentials_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key", "token_count", "next_token", "attempt", "bucket"])
def test_names_that_hold_none_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


class Colour(StrEnum):
    RED = "red"


Credentials = namedtuple("Credentials", "access_key secret_key token")  # noqa: PYI024  # as botocore's own is made


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (1.23456789, 1.234568),
        (True, True),
        (3, 3),
        (2**70, str(2**70)),
        (Colour.RED, "red"),
        (None, None),
        ((1, "b"), [1, "b"]),
        (Lane("1", "r"), "1/r"),
        (AppKey("d", "user", "o", "t", "n"), "d/user/o/t/n"),
        (Credentials(KEY_ID, SECRET, "t"), "<Credentials>"),
        (ValueError(SECRET), "<ValueError>"),
        ({1: {2: {3: {4: {5: 6}}}}}, {"1": {"2": {"3": {"4": "<dict>"}}}}),
    ],
)
def test_a_value_is_written_as_json_can_hold_it_or_as_its_type(value: object, written: object) -> None:
    safe = safe_facts({"fact": value}, Redactor())
    assert safe == {"fact": written}
    json.dumps(safe, allow_nan=False)


def test_a_lone_surrogate_is_written_as_an_escape(make_log: Any) -> None:
    log, lines = make_log()
    log.emit(AnyFact("\ud800"))
    assert json.loads(lines()[0])["fact"] == "\\ud800"


def test_levels_below_the_threshold_are_not_told(make_log: Any) -> None:
    log, lines = make_log(level=LogLevel.WARNING)
    log.emit(CREATED)
    log.emit(events.AppSkipped(key_of(LAB), "x", "y", "z"))
    assert [json.loads(line)["event"] for line in lines()] == ["app.skipped"]


class Exploding(AnyFact):
    def facts(self) -> dict[str, Any]:
        raise RuntimeError


def test_an_event_that_cannot_be_written_is_counted_and_ends_nothing(make_log: Any) -> None:
    log, lines = make_log()
    log.emit(Exploding(1))
    log.emit(CREATED)
    assert len(lines()) == 1
    assert log.note() == "1 log line was not written: a value could not be written"


def test_a_log_that_lost_nothing_has_no_note(make_log: Any) -> None:
    log, _ = make_log()
    log.close()
    assert log.note() == ""


def test_dropped_lines_are_owned_up_to_with_the_reason() -> None:
    reader, fd = os.pipe()
    os.close(reader)
    log = EventLog(LineWriter(fd, owns_fd=True), run_id="r", log_format=LogFormat.JSON)
    log.emit(CREATED)
    log.emit(CREATED)
    log.close()
    assert log.note() == "2 log lines were not written: Broken pipe"


def test_the_time_is_utc_to_the_millisecond() -> None:
    assert iso_time(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso_time(NOW) == "2026-11-24T06:06:22.123Z"


def test_libraries_are_held_to_warnings_and_told_as_events() -> None:
    told: list[events.Event] = []
    handler = LibraryHandler(told.append)
    before = {name: logging.getLogger(name).level for name in LIBRARY_LOGGERS}
    handler.install()
    try:
        logging.getLogger("botocore.auth").debug("Signature: %s", SECRET)
        logging.getLogger("aiohttp.client").warning("odd answer of %s", "host")
        handler.handle(logging.LogRecord("botocore", logging.WARNING, "f", 1, "%d", ("no number",), None))
    finally:
        handler.remove()
    assert told == [
        events.LibraryWarned("aiohttp.client", "odd answer of host"),
        events.LibraryWarned("botocore", "%d"),
    ]
    assert {name: logging.getLogger(name).level for name in LIBRARY_LOGGERS} == before
    assert handler not in logging.getLogger().handlers
