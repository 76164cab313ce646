"""Every channel of `[[notify]]` against a real receiver that takes it, hangs, refuses or is gone; and hostile words."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession

from engine.app import notifying
from engine.app.afterwards import after_an_early_end
from engine.app.notifying import told
from engine.app.options import AppOptions
from engine.core.change import Action
from engine.core.errors import ConfigError
from engine.core.identity import parse_app_key
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.redact import Redactor
from engine.core.settings import NotifyChannel
from engine.core.trouble import Trouble
from tests.http_receiver import http_receiver
from tests.object_server import object_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.ports.events import Event

ALWAYS = frozenset({"always"})
TOPIC = "arn:aws:sns:eu-west-1:000000000000:ml-platform"
RUN = "20261130T220000Z-abc123"
HOSTILE = "\x1b[31mred\x07 $(touch pwned) `id` <b>x</b> @everyone \u202egnp.exe\r\nSubject: other"
KEY = parse_app_key("research/space/alice-lab/JupyterLab/default")
TOKEN = "T0k3nOfTheTeam/B0rIng"
QUICK_TRY_SECONDS = 0.6


def report(message: str = "No ENI", *, interrupted: bool = False) -> ApplyReport:
    app = AppResult(KEY, Action.CREATE, Outcome.FAILED, error=Trouble("Failed", message, "Look at the subnet"))
    return ApplyReport(RUN, "ml-platform", "2026-11-30T22:00:00Z", 5.0, (app,), {}, interrupted=interrupted)


def channel(**given: Any) -> NotifyChannel:
    return NotifyChannel(ALWAYS, **given)


def options(folder: Path, **more: Any) -> AppOptions:
    return AppOptions(folder / "fleet.toml", run_id=RUN, **more)


async def tell(
    folder: Path, *channels: NotifyChannel, of: ApplyReport | None = None, **more: Any
) -> tuple[ApplyReport, list[dict[str, Any]]]:
    """Tell them; return the report and the events, each with its name."""
    events: list[Event] = []
    after = await told(options(folder, **more), channels, of or report(), events.append)
    return after, [{"event": event.name, **event.facts()} for event in events]


def script(folder: Path, body: str, name: str = "page") -> str:
    """Write a shell script; return how a policy names it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"./{name}"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both tries and the pause between them short."""
    monkeypatch.setattr(notifying, "NOTIFY_TRY_MAX_SECONDS", QUICK_TRY_SECONDS)
    monkeypatch.setattr(notifying, "NOTIFY_PAUSE_SECONDS", 0.01)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process credentials of its own, and nothing of the tester's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")


# A command.


async def test_a_command_gets_the_report_as_json_and_its_arguments_as_they_are_written(tmp_path: Path) -> None:
    page = script(tmp_path, 'cat > got.json; printf "%s|" "$@" > words')
    after, events = await tell(tmp_path, channel(command=(page, "--team", "$(touch pwned) *")), of=report(HOSTILE))
    document = json.loads((tmp_path / "got.json").read_text())
    assert document == json.loads(json.dumps(report(HOSTILE).to_json()))
    assert document["apps"][0]["error"]["message"] == HOSTILE
    assert (tmp_path / "words").read_text() == "--team|$(touch pwned) *|"
    assert not (tmp_path / "pwned").exists()
    assert events == [{"event": "notify.sent", "channel": "./page", "attempts": 1}]
    assert after == report(HOSTILE), "nothing to note"


async def test_a_command_that_fails_is_tried_once_more(tmp_path: Path) -> None:
    page = script(tmp_path, "test -e tried && exit 0; touch tried; exit 7")
    _, events = await tell(tmp_path, channel(command=(page,)))
    assert events == [{"event": "notify.sent", "channel": "./page", "attempts": 2}]


@pytest.mark.usefixtures("quick")
async def test_a_command_that_fails_twice_is_told_with_its_last_words(tmp_path: Path) -> None:
    page = script(tmp_path, r'echo one >&2; printf "no \033[31mpager\n\n" >&2; exit 7')
    after, events = await tell(tmp_path, channel(command=(page, "s3cret-argument")))
    (event,) = events
    assert event["event"] == "notify.failed"
    assert event["attempts"] == 2
    assert event["message"] == r"./page failed with exit code 7: no \u001b[31mpager"
    assert after.notes == (rf"Not notified: ./page: {event['message']}",)
    assert "s3cret" not in str(events)
    assert after.exit_code == report().exit_code


@pytest.mark.usefixtures("quick")
async def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    page = script(tmp_path, "sleep 600 & echo $! >> pids; echo $$ >> pids; wait")
    began = time.monotonic()
    _, events = await tell(tmp_path, channel(command=(page,)))
    assert time.monotonic() - began < 10
    assert (events[0]["event"], events[0]["attempts"]) == ("notify.failed", 2)
    assert "within 0.6 s" in events[0]["message"]
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 4
    await _ended(pids)


async def _ended(pids: list[int]) -> None:
    """Wait until these processes are gone, or wait for a parent to take notice of it."""
    await _until(lambda: not any(_lives(pid) for pid in pids))


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("quick")
async def test_a_command_that_repeats_a_secret_of_the_run_does_not_show_it(tmp_path: Path) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    page = script(tmp_path, f"echo 'cannot sign with {'x' * 270}{secret}' >&2; exit 1")
    after, (event, *_) = await tell(tmp_path, channel(command=(page,)), redactor=Redactor([secret]))
    assert event["event"] == "notify.failed"
    assert "cannot sign with" in event["message"]
    for head in (secret, secret[:12]):  # cut after it was redacted, not within the secret
        assert head not in f"{event}{after}"


@pytest.mark.usefixtures("quick")
async def test_a_child_that_keeps_the_streams_open_holds_up_nothing(tmp_path: Path) -> None:
    page = script(tmp_path, "sleep 600 & echo $! > pid; exit 0")
    began = time.monotonic()
    _, events = await tell(tmp_path, channel(command=(page,)))
    assert events[0]["event"] == "notify.sent"
    assert time.monotonic() - began < QUICK_TRY_SECONDS
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_a_command_that_is_not_there_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    _, events = await tell(tmp_path, channel(command=("./gone",)), channel(command=("./plain",)))
    assert [event["attempts"] for event in events] == [1, 1]
    assert events[0]["message"] == "cannot run ./gone: No such file or directory"
    assert "Permission denied" in events[1]["message"]


async def test_a_command_that_a_signal_ends_is_told_by_the_name_of_the_signal(
    tmp_path: Path,
    quick: None,  # noqa: ARG001 - short waits
) -> None:
    _, events = await tell(tmp_path, channel(command=(script(tmp_path, "kill -TERM $$"),)))
    assert "killed by SIGTERM and no words" in events[0]["message"]


async def test_a_signal_cuts_it_short_and_kills_what_runs(tmp_path: Path) -> None:
    page = script(tmp_path, "echo $$ > pid; exec sleep 600")
    given = options(tmp_path)
    events: list[Event] = []
    work = asyncio.ensure_future(told(given, [channel(command=(page,))], report(), events.append))
    await _until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    began = time.monotonic()
    assert given.signals._take is not None
    given.signals._take("SIGTERM")
    await work
    assert time.monotonic() - began < 1
    assert events[0].facts()["message"] == "a signal or the time for all notices cut it short"
    await _ended([int((tmp_path / "pid").read_text())])


async def test_the_tries_are_shorter_after_a_run_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "NOTIFY_TRY_STOPPED_SECONDS", 0.2)
    monkeypatch.setattr(notifying, "NOTIFY_PAUSE_SECONDS", 0.01)
    page = script(tmp_path, "exec sleep 600")
    _, events = await tell(tmp_path, channel(command=(page,)), of=report(interrupted=True))
    assert "within 0.2 s" in events[0]["message"]


async def test_all_of_it_has_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "NOTIFY_TOTAL_MAX_SECONDS", 0.3)
    page = script(tmp_path, "exec sleep 600")
    good = script(tmp_path, "cat > got", "good")
    began = time.monotonic()
    _, events = await tell(tmp_path, channel(command=(page,)), channel(command=(good,)))
    assert time.monotonic() - began < 5
    assert [event["event"] for event in events] == ["notify.failed", "notify.sent"]


# A URL of Apprise's.


async def test_a_url_gets_a_title_and_a_text_that_a_phone_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv("PAGER", f"json://{receiver.host}/{TOKEN}")
        _, events = await tell(tmp_path, channel(url_env="PAGER"), of=report(HOSTILE))
    assert receiver.posts, events
    ((path, _, body),) = receiver.posts
    posted = json.loads(body)
    assert events == [{"event": "notify.sent", "channel": "PAGER", "attempts": 1}]
    assert path.startswith("/T0k3nOfTheTeam/B0rIng")
    assert posted["title"] == "appfleet ml-platform: incomplete: 1 of 1 app not as declared"
    text = posted["message"]
    assert text.startswith(
        "1 failed of 1 app. Such as research/space/alice-lab/JupyterLab/default: Failed: \\u001b[31m"
    )
    assert text.splitlines()[-1] == f"appfleet report {RUN}"
    assert not set(text) & {"\x1b", "\x07", "\u202e", "\r"}
    assert len(text) < 420


@pytest.mark.usefixtures("quick")
async def test_a_url_whose_receiver_hangs_refuses_or_is_gone_never_shows_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "NOTIFY_TRY_MAX_SECONDS", 20.0)
    with http_receiver(statuses=[500, 403]) as refusing:
        secret = "json://user-of-mine:p4ssw0rd-of-mine@{host}/hook-token-1234567/?+X-Auth=h3ader-secret-9"
        monkeypatch.setenv("REFUSING", secret.format(host=refusing.host))
        _, refused = await tell(tmp_path, channel(url_env="REFUSING"))
        gone = refusing.host
    monkeypatch.setenv("GONE", secret.format(host=gone))
    _, none = await tell(tmp_path, channel(url_env="GONE"))
    assert len(refusing.posts) == 2
    for event in (*refused, *none):
        assert (event["event"], event["attempts"]) == ("notify.failed", 2)
        assert "Apprise could not send to the URL in" in event["message"]
        for part in ("user-of-mine", "p4ssw0rd", "hook-token", "h3ader"):
            assert part not in str(event)
    assert "403" in refused[0]["message"]


async def test_a_url_whose_receiver_hangs_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(hangs=True) as receiver:
        monkeypatch.setenv("PAGER", f"json://{receiver.host}/")
        given = options(tmp_path)
        events: list[Event] = []
        work = asyncio.ensure_future(told(given, [channel(url_env="PAGER")], report(), events.append))
        await _until(receiver.arrived.is_set)
        assert given.signals._take is not None
        given.signals._take("SIGTERM")
        began = time.monotonic()
        await work
        assert time.monotonic() - began < 1
    assert events[0].name == "notify.failed"


async def test_a_variable_that_is_not_set_and_a_url_of_no_kind_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.setenv("ODD", "nosuchthing://s3cret-value")
    monkeypatch.setattr(notifying, "NOTIFY_PAUSE_SECONDS", 0.01)
    _, events = await tell(tmp_path, channel(url_env="UNSET"), channel(url_env="ODD"))
    assert events[0]["message"] == "the environment variable UNSET is not set"
    assert events[0]["attempts"] == 1
    assert "does not know this kind of URL" in events[1]["message"]
    assert "s3cret" not in str(events)


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "json://127.0.0.1/")
    monkeypatch.setattr("engine.adapters.notify.by_url.find_spec", lambda _: None)
    _, events = await tell(tmp_path, channel(url_env="PAGER"))
    assert "pip install '.[notify]'" in events[0]["hint"]


# A topic of SNS.


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with object_server() as url:
        yield url


@pytest.mark.usefixtures("caller")
async def test_a_topic_gets_a_subject_and_the_text(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    session = AioSession()
    async with (
        session.create_client("sns", region_name="eu-west-1") as sns,
        session.create_client("sqs", region_name="eu-west-1") as sqs,
    ):
        queue = (await sqs.create_queue(QueueName="pager"))["QueueUrl"]
        named = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        topic = (await sns.create_topic(Name="ml-platform"))["TopicArn"]
        assert topic == TOPIC
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=named["Attributes"]["QueueArn"])
        _, events = await tell(tmp_path, channel(sns=topic), of=report(HOSTILE))
        got = await sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    assert events == [{"event": "notify.sent", "channel": TOPIC, "attempts": 1}]
    message = json.loads(got["Messages"][0]["Body"])
    assert message["Subject"] == "appfleet ml-platform: incomplete: 1 of 1 app not as declared"
    assert message["Message"].splitlines()[-1] == f"appfleet report {RUN}"
    assert "\x1b" not in message["Message"]


@pytest.mark.usefixtures("caller")
async def test_a_topic_that_is_not_there_is_told(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    _, events = await tell(tmp_path, channel(sns=TOPIC.replace("ml-platform", "gone")))
    assert (events[0]["event"], events[0]["attempts"]) == ("notify.failed", 1)


@pytest.mark.usefixtures("caller", "quick")
async def test_a_topic_whose_service_hangs_or_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(hangs=True) as receiver:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://{receiver.host}")
        monkeypatch.setattr(notifying, "NOTIFY_TRY_MAX_SECONDS", 2.0)
        _, late = await tell(tmp_path, channel(sns=TOPIC))
        assert len(receiver.posts) == 2
    _, gone = await tell(tmp_path, channel(sns=TOPIC))
    assert "within 2 s" in late[0]["message"]
    assert "refused" in gone[0]["message"]
    assert gone[0]["attempts"] == 2


@pytest.mark.usefixtures("caller")
async def test_a_fifo_topic_is_told_once_whatever_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
    monkeypatch.setattr(notifying, "NOTIFY_PAUSE_SECONDS", 0.01)
    with http_receiver(statuses=[500], body=answer, content_type="text/xml") as receiver:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://{receiver.host}")
        _, events = await tell(tmp_path, channel(sns=f"{TOPIC}.fifo"))
    assert events[0]["event"] == "notify.sent"
    assert events[0]["attempts"] == 2
    for _, _, body in receiver.posts:
        assert f"MessageDeduplicationId={RUN}".encode() in body


@pytest.mark.usefixtures("caller")
async def test_without_credentials_a_topic_is_told_and_no_domain_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    _, events = await tell(tmp_path, channel(sns=TOPIC))
    assert events[0]["message"] == "there are no credentials"
    assert "AWS_PROFILE" in events[0]["hint"]


async def test_an_endpoint_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    _, events = await tell(tmp_path, channel(sns=TOPIC), endpoint_url="http://sns.example.org")
    assert events[0]["event"] == "notify.failed"
    assert events[0]["attempts"] == 1


async def test_a_simulated_run_says_so_and_calls_nothing_of_aws(tmp_path: Path) -> None:
    page = script(tmp_path, "cat > got")
    _, events = await tell(tmp_path, channel(sns=TOPIC), channel(command=(page,)), simulate="")
    assert [event["event"] for event in events] == ["notify.failed", "notify.sent"]
    assert "simulated" in events[0]["message"]


# Who is told.


@pytest.mark.parametrize("when", ["failed", "denied", "interrupted", "changed"])
async def test_a_channel_that_does_not_want_to_know_is_left_alone(tmp_path: Path, when: str) -> None:
    _, events = await tell(tmp_path, NotifyChannel(frozenset({when}), command=("./gone",)))
    assert events == []


async def test_a_bug_of_ours_costs_the_notice_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret text")

    with monkeypatch.context() as patch:
        patch.setattr(notifying, "_opening", broken)
        after, events = await tell(tmp_path, channel(command=("./gone",)))
        assert events[0]["message"] == "ZeroDivisionError, which is a bug in appfleet"
        assert after.result == report().result
    monkeypatch.setattr("engine.adapters.notify.command.run", broken)
    _, events = await tell(tmp_path, channel(command=("./gone",)))
    assert events[0]["message"] == "ZeroDivisionError, which is a bug in appfleet"


def test_a_run_whose_files_are_wrong_tells_whom_it_can(tmp_path: Path) -> None:
    page = script(tmp_path, "cat > got.json")
    (tmp_path / "fleet.toml").write_text("[[[ broken\n")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.toml").write_text(
        f'[[rule]]\nid = 1\n[[notify]]\nsns = "no arn"\n[[notify]]\ncommand = ["{page}"]\n'
    )
    (tmp_path / "policies" / "b.toml").write_text("not toml at all [")
    (tmp_path / "policies" / "c.toml").write_text("notify = 3\n")
    events: list[Event] = []
    error = ConfigError(())
    failed = ApplyReport(RUN, "", "", 0.1, (), {}, errors=(Trouble(error.code, "broken"),))
    assert after_an_early_end(options(tmp_path), failed, events.append, notify=True) == failed
    assert [event.name for event in events] == ["notify.sent"]
    assert json.loads((tmp_path / "got.json").read_text())["errors"][0]["message"] == "broken"
    (tmp_path / "policies" / "a.toml").unlink()
    assert after_an_early_end(options(tmp_path), failed, events.append, notify=True) is failed
