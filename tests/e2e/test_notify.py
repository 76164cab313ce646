"""`[[notify]]` at the end of every kind of run: who is told, of what, and that nothing of it changes the end."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
from tests.e2e.harness import POLICY, Ran, fleet_text, people, until
from tests.e2e.test_ends import ALL_FAIL, DENYING, ENDS, NO_ANSWER
from tests.http_receiver import http_receiver

if TYPE_CHECKING:
    from tests.e2e.harness import Place

PAGE = """#!/bin/sh
cat > told-$$.json
"""
NOTIFY = """
[[notify]]
command = ["./page"]
"""


def pager(place: Place, more: str = "", rules: str = "") -> None:
    """Let the policy name a command that keeps what it is told."""
    page = place.folder / "page"
    page.write_text(PAGE)
    page.chmod(0o755)
    (place.folder / "policies" / "notify.toml").write_text(NOTIFY + more)
    if rules:
        (place.folder / "policies" / "rules.toml").write_text(rules)


def told(place: Place) -> list[dict[str, Any]]:
    """Return what the command was told, and forget it."""
    files = sorted(place.folder.glob("told-*.json"))
    found = [json.loads(file.read_text()) for file in files]
    for file in files:
        file.unlink()
    return found


def last_two(ran: Ran) -> list[str]:
    return [event["event"] for event in ran.events()[-2:]]


@pytest.mark.parametrize(
    "name",
    ["no credentials", "wrong account", "unreachable", "broken fleet", "broken policy", "a flag that there is not",
     "denied by a rule", "deadline before a plan", "state folder refused", "apps that fail"],
)  # fmt: skip
def test_whom_the_policy_names_is_told_of_every_end_that_is_not_well(place: Place, name: str) -> None:
    end = ENDS[name]
    end.prepare(place)
    pager(place)
    ran = place.apply(*end.words, **end.environment)
    assert ran.code == end.exit_code
    (document,) = told(place)
    result = ran.report
    assert document == result, "the very result, to the last byte of it"
    assert last_two(ran) == ["notify.sent", "run.finished"]


def test_a_run_that_finds_the_lock_held_tells_too(place: Place) -> None:
    pager(place)
    (place.folder / ".appfleet").mkdir(mode=0o700)
    with StateDir.open(place.folder / ".appfleet") as state:
        lock = FleetLock(state, "e2e")
        assert lock.try_acquire(Holder.of_this_process("other-run", "apply", now=time.time()))
        ran = place.apply()
        lock.release()
    assert ran.code == 5
    assert told(place)[0]["error"]["code"] == "AF501"


def test_who_wants_changes_hears_of_them_alone(place: Place) -> None:
    pager(place, 'when = ["changed"]')
    assert place.apply().code == 0
    (document,) = told(place)
    assert document["summary"] == {"created": 4}
    assert place.apply().code == 0
    assert told(place) == []
    pager(place, 'when = ["always"]')
    assert place.apply().code == 0
    assert len(told(place)) == 1


def test_nobody_is_told_of_a_run_that_is_well_nor_of_one_that_only_looks(place: Place) -> None:
    pager(place, rules=DENYING)
    assert place.run("plan").code == 4
    assert place.run("apply", "--dry-run").code == 4
    (place.folder / "policies" / "rules.toml").unlink()
    assert place.apply().code == 0
    assert told(place) == []


def test_a_channel_that_fails_is_a_line_of_the_log_and_a_note_and_no_exit_code(place: Place) -> None:
    pager(
        place, '[[notify]]\nwhen = ["always"]\ncommand = ["./gone"]\n[[notify]]\nwhen = ["always"]\nurl_env = "UNSET"'
    )
    ran = place.apply()
    assert ran.code == 0
    assert [event["channel"] for event in ran.events("notify.failed")] == ["./gone", "UNSET"]
    assert ran.events()[-1]["event"] == "run.finished"
    assert [note for note in ran.report["notes"] if "Not notified" in note] == [
        "Not notified: ./gone: cannot run ./gone: No such file or directory",
        "Not notified: UNSET: the environment variable UNSET is not set",
    ]
    text = place.run("apply", "--yes").out
    assert "Not notified: UNSET" in text


def test_the_url_of_a_channel_is_written_nowhere(place: Place) -> None:
    pager(place, '[[notify]]\nwhen = ["always"]\nurl_env = "PAGER_URL"')
    with http_receiver(statuses=[403, 403]) as receiver:
        url = f"json://{receiver.host}/hook-token-1234567/"
        ran = place.apply(PAGER_URL=url)
        assert ran.code == 0
        place.run("apply", "--yes", "--log-level", "debug", PAGER_URL=url)
    assert len(receiver.posts) == 3
    state = [path.read_bytes() for path in (place.folder / ".appfleet").iterdir() if path.is_file()]
    everything = ran.out + ran.err + ran.log + b"".join(state).decode(errors="replace")
    assert "hook-token" not in everything
    assert "Apprise could not send to the URL in PAGER_URL" in ran.log


def test_a_second_signal_ends_a_run_whose_receiver_hangs(place: Place) -> None:
    pager(place)
    (place.folder / "page").write_text("#!/bin/sh\necho $$ > pid\nexec sleep 600\n")
    place.scenario(NO_ANSWER)
    with place.start("apply", "--yes", "--format", "json") as running:
        until(lambda: place.within(lambda world: world.stats.in_flight) == 1, "a call is under way")
        running.signal(signal.SIGTERM)
        until((place.folder / "pid").exists, "the command runs")
        running.signal(signal.SIGTERM)
        began = time.monotonic()
        ran = running.end()
    assert time.monotonic() - began < 4.0, "and does not wait for it"
    assert ran.code == 130
    assert ran.report["result"] == "interrupted"
    assert last_two(ran) == ["notify.failed", "run.finished"]


def test_hostile_words_of_the_service_reach_a_receiver_as_text(place: Place) -> None:
    hostile = "\\u001b[31mred $(touch pwned) `touch pwned` <script>\\u202e"
    place.scenario(ALL_FAIL.replace("lifecycle", hostile))
    pager(place, '[[notify]]\nurl_env = "PAGER_URL"')
    with http_receiver() as receiver:
        ran = place.apply(PAGER_URL=f"json://{receiver.host}/")
    assert ran.code == 3
    ((_, _, body),) = receiver.posts
    posted = json.loads(body)
    assert posted["title"] == "appfleet e2e: incomplete: 4 of 4 apps not as declared"
    assert posted["message"].isprintable() or "\n" in posted["message"]
    assert not set(posted["message"]) & {"\x1b", "\u202e"}
    assert not (place.folder / "pwned").exists()
    assert len(told(place)) == 1


def test_onboarding_tells_too(place: Place) -> None:
    place.write(fleet_text(people(1), more='[apps.canvas]\ntype = "Canvas"\n'), policy=POLICY)
    pager(place, 'when = ["always"]')
    (place.folder / "teams").mkdir()
    fleet = place.folder / "fleet.toml"
    fleet.write_text(fleet.read_text().replace('name = "e2e"\n', 'name = "e2e"\ninclude = ["teams/*.toml"]\n'))
    ran = place.run("onboard", "nlp", "--members", "zoe", "--app", "canvas", "--yes", "--format", "json")
    (document,) = told(place)
    assert document == ran.report
