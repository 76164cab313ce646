"""The report page: what it says first, how apps are drawn over time, and that nothing gets out of its text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.finding import Finding
from engine.core.hours import HoursLine
from engine.core.hours_of_run import RunHours
from engine.core.identity import AppKey, Owner
from engine.core.trouble import Trouble
from engine.ports.history import (
    AppRecord,
    BucketMark,
    BucketState,
    CallSlots,
    IntentRecord,
    KeptApps,
    Mark,
    OwnerRecord,
    PastRun,
    RunDetail,
    RunRecord,
    RunStory,
    RunTimeline,
    RunWords,
)
from engine.render.history_text import history_json, history_text, sparkline
from engine.render.report.charts import bar, bucket_rows, calls_chart, phases_chart
from engine.render.report.differences import differences
from engine.render.report.html import NAMED_MAX, report_html
from engine.render.report.spans import Phase, Span, SpanMaker, counts_over_time, parked_times

if TYPE_CHECKING:
    from collections.abc import Mapping

HOSTILE = "<script>alert(1)</script>'\"&{{7*7}}<img src=x onerror=alert(2)>"
BUCKET = "111122223333/eu-west-1/JupyterLab/ml.g5.xlarge"
QUEUED, CALLED, PARKED, PENDING, SERVICE = Phase.QUEUED, Phase.CALLED, Phase.PARKED, Phase.PENDING, Phase.IN_SERVICE


def a_key(owner: str = "alice") -> AppKey:
    return AppKey("research", "user", owner, "JupyterLab", "default")


def an_app(owner: str = "alice", outcome: str = "created", code: str = "", **more: Any) -> AppRecord:
    fields = {
        "key": a_key(owner), "action": "create", "outcome": outcome, "attempts": 1, "seconds": 4.0,
        "instance_type": "ml.g5.xlarge", "arn": "", "error_code": code, "error_message": code and f"{code} it said",
        "error_hint": code and "Mend it", "at": 110.0,
    }  # fmt: skip
    return AppRecord(**{**fields, **more})


def a_run(result: str = "converged", run_id: str = "run-2", **more: Any) -> RunRecord:
    fields = {
        "run_id": run_id, "fleet": "ml", "version": "0.1.0", "started": 100.0, "alive_at": 110.0, "ended": 110.0,
        "result": result, "exit_code": 0, "summary": {"created": 1},
    }  # fmt: skip
    return RunRecord(**{**fields, **more})


def a_timeline(marks: Mapping[AppKey, Any] | None = None, **more: Any) -> RunTimeline:
    made = ((1.0, Mark.CALLED), (2.0, Mark.ACCEPTED), (6.0, Mark.ENDED))
    words = RunWords(seconds=10.0, summary={"created": 1})
    return RunTimeline(**{"marks": {a_key(): made} if marks is None else marks, "words": words, **more})


def a_story(*apps: AppRecord, run: RunRecord | None = None, **more: Any) -> RunStory:
    detail = RunDetail(run or a_run(), apps or (an_app(),), ())
    return RunStory(**{"detail": detail, "timeline": a_timeline(), "before": None, **more})


def page_of(story: RunStory, **more: Any) -> str:
    return report_html(story, command="appfleet apply", **more)


class Tags(HTMLParser):
    """Collects the elements and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def spans_of(
    marks: tuple[tuple[float, Mark], ...], outcome: str = "created", **more: Any
) -> list[tuple[Phase, float, float]]:
    maker = SpanMaker(a_timeline({a_key(): marks}, **more), 10.0)
    return [(span.phase, span.start_s, span.end_s) for span in maker.spans(an_app(outcome=outcome))]


def test_an_app_goes_from_the_queue_into_service() -> None:
    marks = ((1.0, Mark.CALLED), (2.0, Mark.ACCEPTED), (6.0, Mark.ENDED))
    assert spans_of(marks) == [(QUEUED, 0, 1), (CALLED, 1, 2), (PENDING, 2, 6), (SERVICE, 6, 10)]


def test_a_throttled_app_waits_again() -> None:
    marks = ((1.0, Mark.CALLED), (2.0, Mark.RETRIED), (3.0, Mark.CALLED), (4.0, Mark.ENDED))
    assert spans_of(marks, "failed")[2:] == [(QUEUED, 2, 3), (CALLED, 3, 4), (Phase.FAILED, 4, 10)]


def test_waiting_while_its_bucket_is_full_is_parked() -> None:
    marks = ((8.0, Mark.CALLED), (9.0, Mark.ENDED))
    full = (BucketMark(2.0, BUCKET, BucketState.PARKED), BucketMark(5.0, BUCKET, BucketState.REOPENED))
    assert spans_of(marks, buckets=full)[:3] == [(QUEUED, 0, 2), (PARKED, 2, 5), (QUEUED, 5, 8)]


def test_a_quota_of_another_kind_parks_nobody_else() -> None:
    other = (BucketMark(2.0, BUCKET.replace("g5", "m5"), BucketState.PARKED),)
    assert spans_of(((8.0, Mark.CALLED), (9.0, Mark.ENDED)), buckets=other)[0] == (QUEUED, 0, 8)


def test_a_call_of_which_nothing_was_told_before_the_next_was_refused() -> None:
    full = (BucketMark(1.0, BUCKET, BucketState.PARKED), BucketMark(4.0, BUCKET, BucketState.REOPENED))
    marks = ((1.0, Mark.CALLED), (4.0, Mark.CALLED), (5.0, Mark.ACCEPTED), (6.0, Mark.ENDED))
    assert spans_of(marks, buckets=full)[:3] == [(QUEUED, 0, 1), (PARKED, 1, 4), (CALLED, 4, 5)]


def test_an_app_that_ended_parked_was_so_since_its_call() -> None:
    assert spans_of(((1.0, Mark.CALLED), (8.0, Mark.ENDED)), "parked")[1:] == [(PARKED, 1, 8), (PARKED, 8, 10)]


def test_an_app_without_an_end_stays_what_it_was() -> None:
    assert spans_of(((1.0, Mark.CALLED), (2.0, Mark.ACCEPTED)))[-1] == (PENDING, 2, 10)


def test_a_deleted_app_is_nothing_afterwards() -> None:
    assert spans_of(((1.0, Mark.DELETING), (3.0, Mark.ENDED)), "deleted") == [(QUEUED, 0, 1), (Phase.DELETING, 1, 3)]


def test_a_kernel_gateway_on_system_waits_for_the_type_that_it_becomes() -> None:
    key = a_key()._replace(app_type="KernelGateway")
    full = (BucketMark(0.0, "1/r/KernelGateway/ml.t3.medium", BucketState.PARKED),)
    maker = SpanMaker(a_timeline({key: ((4.0, Mark.CALLED),)}, buckets=full), 10.0)
    assert maker.spans(an_app(key=key, instance_type="system"))[0].phase is PARKED


def test_an_app_on_a_training_plan_waits_for_that_plan_and_for_no_quota_of_its_type() -> None:
    plan = "111122223333/eu-west-1/training-plan/p5"
    full = (
        BucketMark(1.0, BUCKET, BucketState.PARKED),
        BucketMark(2.0, plan, BucketState.PARKED),
        BucketMark(5.0, plan, BucketState.REOPENED),
    )
    words = RunWords(reserved={a_key(): plan})
    timeline = a_timeline({a_key(): ((8.0, Mark.CALLED), (9.0, Mark.ENDED))}, buckets=full, words=words)
    spans = SpanMaker(timeline, 10.0).spans(an_app(instance_type="ml.g5.xlarge"))
    assert [(one.phase, one.start_s, one.end_s) for one in spans][:3] == [
        (QUEUED, 0, 2),
        (PARKED, 2, 5),
        (QUEUED, 5, 8),
    ]


def test_an_app_without_moments_has_no_spans() -> None:
    assert SpanMaker(a_timeline({}), 10.0).spans(an_app()) == ()


def test_a_bucket_that_never_opened_is_parked_to_the_end() -> None:
    assert parked_times([BucketMark(3.0, "b", BucketState.PARKED)], 10.0) == {"b": ((3.0, 10.0),)}
    assert parked_times([BucketMark(3.0, "b", BucketState.REOPENED)], 10.0) == {}


def test_apps_are_counted_at_each_moment() -> None:
    spans = [(Span(QUEUED, 0.0, 5.0), Span(SERVICE, 5.0, 10.0))]
    counts = counts_over_time(spans, 10.0, 3)
    assert (counts[QUEUED], counts[SERVICE]) == ([1, 0, 0], [0, 1, 1])


def test_a_bar_shows_also_what_is_too_short_to_be_seen() -> None:
    assert bar((Span(CALLED, 5.0, 5.0001), Span(CALLED, 6.0, 7.0)), 10.0) == (("ca", "M500 5h2M600 5h100"),)


def test_charts_of_nothing_are_left_out() -> None:
    assert phases_chart([], 10.0) is None
    assert calls_chart(CallSlots(), 10.0, reads=False) is None
    assert bucket_rows((), {}, 10.0) == ()


def test_calls_are_drawn_by_what_came_of_them_below_what_was_allowed() -> None:
    answers: dict[str, dict[str, tuple[int, ...]]] = {
        "CreateApp": {"ok": (2, 4), "throttled": (0, 1), "unknown": (1,)},
        "ListApps": {"ok": (1,)},
    }
    chart = calls_chart(CallSlots(1.0, answers, {"writes": (5.0,)}), 2.5, reads=False)
    assert chart is not None
    assert [layer.name for layer in chart.layers] == ["answered", "throttled", "other", "allowed"]
    assert chart.highest == "5.0 calls/s"
    assert chart.rows[1] == ("1.0 s", "4.0", "1.0", "0.0", "5.0")
    reads = calls_chart(CallSlots(1.0, answers), 2.5, reads=True)
    assert reads is not None
    assert reads.columns == ("From", "Answered")


def test_the_bucket_that_was_full_longest_comes_first() -> None:
    marks = (
        BucketMark(1.0, "a", BucketState.PARKED, 3, 9, None),
        BucketMark(2.0, "a", BucketState.PARKED, 7),
        BucketMark(4.0, "b", BucketState.PARKED, 1),
        BucketMark(5.0, "b", BucketState.ENDED),
    )
    first, second = bucket_rows(marks, parked_times(marks, 10.0), 10.0)
    assert (first.name, first.parked, first.waiting_most, first.probes, first.quota) == (
        "a",
        "9.0 s",
        7,
        1,
        "? of 9 used",
    )
    assert (second.name, second.quota, second.path) == ("b", "", "M400 5h100")


def test_a_converged_run_is_one_sentence_and_a_look() -> None:
    page = page_of(a_story())
    assert "<h1>The run of ml converged after 10.0 s: 1 of 1 app is as declared.</h1>" in page
    assert "Nothing left to do" in page
    assert "What went wrong" not in page


def test_a_converged_run_that_could_not_update_a_space_yet_is_no_all_clear() -> None:
    space = OwnerRecord(
        Owner("research", "space", "a"), "update", "updated", 1, 2.0, "", "AF415", "in use", "later", 5.0
    )
    story = a_story()
    page = page_of(replace(story, detail=replace(story.detail, owners=(space,))))
    assert "Nothing left to do for apps. The rest for profiles and spaces is below." in page


def test_an_incomplete_run_says_why_and_what_to_do() -> None:
    apps = (an_app("a", "failed", "Bad"), an_app("b", "failed", "Bad"), an_app("c", "failed", "Worse"))
    words = RunWords(seconds=10.0, summary={"created": 5, "failed": 3})
    page = page_of(a_story(*apps, run=a_run("incomplete"), timeline=a_timeline(words=words)))
    assert "ended incomplete after 10.0 s: 5 of 8 apps are as declared; 3 failed (mostly Bad).</h1>" in page
    assert "Fix the problems below" in page
    assert "<code>appfleet apply</code>" in page
    assert "2 apps: Bad" in page
    assert "Bad it said" in page
    assert "5 apps needed no work" in page


def test_when_all_that_is_left_waits_for_a_quota_room_is_what_is_asked_for() -> None:
    assert "Make room in the quotas" in page_of(a_story(an_app("a", "parked", "Full"), run=a_run("incomplete")))


def test_a_run_that_died_says_so() -> None:
    run = a_run("", ended=None, exit_code=None, alive_at=130.0)
    intents = (IntentRecord(a_key(), "CreateApp", "s", 1.0),)
    story = RunStory(RunDetail(run, (an_app(),), intents), RunTimeline(lost=3), None)
    page = page_of(story)
    assert "ended without a result after 30.0 s" in page
    assert "The run never wrote its end" in page
    assert "1 calls were meant to be made" in page
    assert "3 moments were too many" in page


def test_what_was_left_alone_for_a_reason_is_listed_once() -> None:
    away = Trouble("Away", "the domain is away", "Look")
    kept = KeptApps("skipped", away, (a_key("bob"), a_key("alice")))
    words = RunWords(
        10.0,
        {"created": 1, "skipped": 1},
        errors=(away,),
        notes=("a note",),
        findings=(Finding("rule-1", "advisory", "k", "too dear", "policies/r.toml:3"),),
        kept=(kept,),
        prices={"research/JupyterLab/ml.g5.xlarge": 1.5},
    )
    page = page_of(a_story(run=a_run("failed"), timeline=a_timeline(words=words)))
    assert page.count("<b>alice</b>") == 1
    assert "<b>bob</b>" in page
    for text in (
        "rule rule-1 (policies/r.toml:3)",
        "too dear",
        "a note",
        "1 new app add 1.50 USD per hour",
        "the domain is away",
    ):
        assert text in page


def test_apps_without_a_price_are_counted_apart() -> None:
    words = RunWords(10.0, {"created": 2}, prices={"research/JupyterLab/ml.g5.xlarge": 1.5})
    apps = (an_app(), an_app("bob", instance_type="ml.odd"))
    assert "; 1 app without a known price" in page_of(a_story(*apps, timeline=a_timeline(words=words)))
    assert "USD" not in page_of(a_story(apps[1], timeline=a_timeline(words=words)))


def test_an_outcome_of_another_version_is_shown_as_it_is() -> None:
    words = RunWords(10.0, {"vanished": 1})
    assert "vanished" in page_of(a_story(an_app(outcome="vanished"), timeline=a_timeline(words=words)))


def test_a_run_without_work_says_so() -> None:
    story = RunStory(RunDetail(a_run(summary={}), (), ()), RunTimeline(), None)
    assert "No app was worked on in this run." in page_of(story)


def test_a_hostile_text_stays_text_wherever_it_comes_from() -> None:
    trouble = Trouble(HOSTILE, HOSTILE, HOSTILE)
    key = AppKey(HOSTILE, "user", HOSTILE, HOSTILE, HOSTILE)
    app = an_app(
        outcome="failed", key=key, instance_type=HOSTILE, error_code=HOSTILE, error_message=HOSTILE, error_hint=HOSTILE
    )
    words = RunWords(
        10.0, {"failed": 1, HOSTILE: 1}, {HOSTILE: {HOSTILE: 1}}, (trouble,), (HOSTILE,), (Finding(*(HOSTILE,) * 5),),
        (KeptApps(HOSTILE, trouble, (a_key(),)),),
    )  # fmt: skip
    run = a_run(HOSTILE, HOSTILE, fleet=HOSTILE, version=HOSTILE)
    timeline = a_timeline(
        {key: ((1.0, Mark.CALLED),)}, words=words, buckets=(BucketMark(1.0, HOSTILE, BucketState.PARKED),)
    )
    before = RunDetail(replace(run, run_id="before"), (replace(app, outcome="created"),), ())
    story = RunStory(RunDetail(run, (app,), ()), timeline, before, timeline)
    page = report_html(story, command=HOSTILE, history=(PastRun(run, 1.0, None, None, None),))
    tags = Tags(page).found
    assert sum(tag == "script" for tag, _ in tags) == 1
    assert not any(tag == "img" or name.startswith("on") for tag, attributes in tags for name in attributes)
    assert "{{7*7}}" in page
    assert "<script>alert" not in page


def test_nothing_of_the_page_comes_from_outside() -> None:
    page = page_of(a_story())
    assert not re.search(r"https?://", page)
    for _, attributes in Tags(page).found:
        for name in ("src", "href", "action", "srcset", "style"):
            value = attributes.get(name) or ""
            assert value == "" or value.startswith(("#", "data:,"))
    assert "default-src 'none'" in page


def test_every_picture_has_a_title_a_description_and_a_table() -> None:
    tags = Tags(page_of(a_story())).found
    drawn = [attributes for tag, attributes in tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(drawn) == 1
    assert drawn[0]["aria-labelledby"] == "phases-t phases-d"
    assert sum(tag == "desc" for tag, _ in tags) == len(drawn)
    assert all(a.get("aria-hidden") == "true" or a.get("role") == "img" for tag, a in tags if tag == "svg")


def test_a_long_table_is_folded_and_one_of_troubles_is_open() -> None:
    apps = tuple(an_app(f"user-{number}") for number in range(101))
    page = page_of(a_story(*apps, an_app("bad", "failed", "Bad")))
    assert 'data-outcome="created"><summary>' in page
    assert 'data-outcome="failed" open><summary>' in page


def test_the_differences_name_who_changed_sides() -> None:
    then = (
        an_app("new-bad"),
        an_app("same", "failed", "x"),
        an_app("mended", "failed", "x"),
        an_app("gone", "parked", "x"),
        an_app("again"),
    )
    before = RunDetail(a_run("incomplete", "run-1"), then, ())
    now = (an_app("new-bad", "failed", "x"), an_app("same", "failed", "x"), an_app("mended"), an_app("again"))
    words = RunWords(calls={"CreateApp": {"throttled": 4}})
    story = a_story(*now, before=before, timeline=a_timeline(words=words), before_timeline=a_timeline(words=RunWords()))
    found = differences(story)
    assert found is not None
    assert [(change.bad, change.names) for change in found.changes] == [
        (True, ("research/user/new-bad/JupyterLab/default",)),
        (True, ("research/user/same/JupyterLab/default",)),
        (False, ("research/user/mended/JupyterLab/default",)),
        (False, ("research/user/gone/JupyterLab/default",)),
        (True, ("research/user/again/JupyterLab/default",)),
    ]
    assert ("Throttled calls", "0", "4") in found.numbers
    assert "Since the run before" in page_of(story)
    assert differences(a_story()) is None


def test_the_history_is_a_line_a_run_with_its_trends() -> None:
    newest = PastRun(a_run("incomplete", "run-2", summary={"created": 30, "failed": 2}), 60.0, 8.0, 3, 40)
    oldest = PastRun(a_run(run_id="run-1", summary={"created": 15}), 60.0, None, None, None)
    text = history_text((newest, oldest))
    lines = text.splitlines()
    assert lines[1].split() == ["run-2", "1970-01-01", "00:01", "incomplete", "32", "30", "2", "1", "min", "30.0", "3"]
    assert "Created per minute  ▅█  15.0 to 30.0, now 30.0" in text
    assert "appfleet report run-2" in lines[-1]
    assert "▅" not in history_text((newest, oldest), unicode=False)


def test_the_history_of_several_fleets_names_them_and_draws_no_trend() -> None:
    text = history_text((PastRun(a_run(), 0.0, None, None, None), PastRun(a_run(fleet="web"), 1.0, None, None, None)))
    assert text.splitlines()[0].endswith("Fleet")
    assert "Over the last" not in text


def test_an_empty_history_says_how_to_begin() -> None:
    assert history_text(()) == "No runs yet. Run: appfleet apply\n"
    assert history_json(()) == {"format_version": 1, "runs": []}


def test_the_history_as_json_has_what_the_lines_have() -> None:
    (entry,) = history_json((PastRun(a_run(ended=None), 60.0, 8.12345, 3, 40),))["runs"]
    assert entry["ended"] is None
    assert entry["settle_median_seconds"] == 8.123
    assert (entry["creates_per_minute"], entry["throttled_calls"], entry["apps"]) == (1.0, 3, 40)


@pytest.mark.parametrize(("values", "drawn"), [([], ""), ([0, 0], "▁▁"), ([0, 5, 10], "▁▅█")])
def test_a_sparkline_has_a_bar_a_value(values: list[float], drawn: str) -> None:
    assert sparkline(values) == drawn


def test_a_command_breaks_between_its_words_alone_on_a_narrow_screen() -> None:
    command = "aws service-quotas raise --desired-value 2"
    page = report_html(a_story(), command=command)
    typed = "aws <span>service-quotas</span> raise <span>--desired-value</span> 2"
    assert f'<pre class="command"><code>{typed}</code></pre>' in page
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert ".command span{white-space:nowrap}" in style
    assert "white-space:pre-wrap" in style


def test_what_was_stopped_and_started_because_of_hours_is_shown_with_when_it_is_back() -> None:
    keys = tuple(a_key(f"ann-{number:02}") for number in range(NAMED_MAX + 3))
    closed = HoursLine("office", "Europe/Berlin", is_open=False, apps=20, change="x", local="Mon 08:00")
    opened = HoursLine(HOSTILE, "UTC", is_open=True, apps=1, change="x", local="Mon 19:00")
    never = HoursLine("never", "UTC", is_open=False, apps=1)
    words = RunWords(
        hours=(
            RunHours(closed, keys, (), 500, 0),
            RunHours(opened, (), keys[:1], 0, 1),
            RunHours(never, keys[:1], (), 1, 0),
        )
    )
    page = page_of(a_story(timeline=a_timeline(words=words)))
    assert "<b>office</b>: closed, opens Mon 08:00 Europe/Berlin; 20 apps" in page
    assert "<summary>500 apps stopped, back Mon 08:00</summary>" in page
    assert f"and {500 - NAMED_MAX} more" in page
    assert "<summary>1 app started, until Mon 19:00</summary>" in page
    assert "<summary>1 app stopped</summary>" in page
    assert HOSTILE not in page
    assert 'id="hours"' not in page_of(a_story())
