"""Reports and statuses as people read them, and documents as machines do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.finding import Finding
from engine.core.hours import HoursAt
from engine.core.identity import Owner
from engine.core.observed import ObservedDomain, ObservedFleet, Ownership
from engine.core.outcome import GOOD_OUTCOMES, AppResult, Outcome, OwnerResult, RunResult
from engine.core.plan import Fits
from engine.core.text import count_of, is_safe
from engine.core.trouble import Trouble
from engine.render.json_text import json_text
from engine.render.layout import duration
from engine.render.owners_text import owner_result_lines
from engine.render.report.text import NEXT_STEPS, report_text, result_line, trails
from engine.render.status_markdown import status_markdown
from engine.render.status_text import status_text
from engine.render.validate_text import validate_text
from engine.render.words import OUTCOMES
from tests.fleets import CANVAS, KERNEL, LAB, TODAY, a_fleet, a_row, an_app, hours_of, key_of
from tests.tables import unpadded
from tests.unit.render.samples import BOB_LAB, DECISIONS, FULL, HOSTILE, a_hostile_plan, a_plan, a_report, a_status


def test_apps_that_ended_alike_are_told_together_with_code_message_and_hint() -> None:
    assert report_text(a_report()).splitlines()[:6] == [
        (
            "Parked (waiting for a quota): 2 apps: research/space/bob-lab/JupyterLab/default, "
            "research/space/gpu-lab/JupyterLab/default"
        ),
        "    ResourceLimitExceeded: the quota is full",
        "    Ask for an increase",
        "Failed: 1 app: research/user/alice/Canvas/default",
        "    AccessDeniedException: not allowed",
        "",
    ]


def test_the_report_counts_outcomes_and_calls_and_says_what_is_next() -> None:
    text = report_text(a_report())
    assert "  1 created\n  1 unchanged\n  2 parked (waiting for a quota)\n  1 failed\n" in text
    assert "  Calls: CreateApp 1 ok, 6 limit exceeded; ListApps 2 ok\n" in text
    assert text.endswith(
        "Run 20261124T060000Z-abc123 of fleet ml-platform: incomplete; 1 of 5 apps changed in 3 min 20 s.\n"
        "Next: fix the problems above (finished apps are kept), then run: appfleet apply\n"
    )


def test_a_run_without_changes_says_that_there_was_nothing_to_do() -> None:
    idle = a_report(apps=(AppResult(key_of(LAB), Action.NONE, Outcome.UNCHANGED),), seconds=0.8)
    assert result_line(idle).endswith("converged; nothing to do for 1 app; it took 0.8 s.")
    assert report_text(idle).rstrip().endswith("it took 0.8 s.")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"interrupted": True}, "To continue: appfleet apply"),
        (
            {"denied": True, "apps": ()},
            "Next: fix what the findings name (nothing was changed), then run: appfleet apply",
        ),
        ({"errors": (Trouble("AF409", "no credentials", "log in"),)}, "fix the cause above, then run: appfleet apply"),
        ({"bug": True}, "report this bug"),
    ],
)
def test_each_result_has_its_next_step(more: dict[str, object], words: str) -> None:
    assert words in report_text(a_report(**more))


def test_what_failed_for_the_run_is_told_with_its_hint() -> None:
    text = report_text(a_report(errors=(Trouble("AF409", "no credentials", "log in"),)))
    assert "Failed for the run:\n    AF409: no credentials\n    log in\n" in text


def test_a_trouble_without_a_hint_and_an_end_without_a_trouble_leave_no_empty_line() -> None:
    bare = AppResult(key_of(LAB), Action.CREATE, Outcome.STILL_PENDING)
    text = report_text(a_report(apps=(bare,), errors=(Trouble("AF410", "unreachable"),), notes=()))
    assert text.splitlines()[:4] == [
        f"Still starting: 1 app: {LAB}",
        "",
        "Failed for the run:",
        "    AF410: unreachable",
    ]
    assert text.splitlines()[4] == ""


def test_a_domain_that_was_not_listed_may_have_no_hint() -> None:
    view = a_status(a_plan(decisions=()), (Trouble("AF407", "denied"),))
    assert "Not listed:\n  AF407: denied\n\n0 apps" in status_text(view)


def test_notes_and_findings_stand_in_the_report() -> None:
    text = report_text(a_report(findings=(Finding("r", "skip", LAB, "denied"),)))
    assert "Note: the journal is new" in text
    assert f"  skip {LAB}: denied" in text


def test_trails_follow_the_outcomes_and_the_larger_comes_first() -> None:
    other = Trouble("X", "other")
    apps = [
        AppResult(key_of(CANVAS), Action.CREATE, Outcome.FAILED, error=other),
        AppResult(key_of(LAB), Action.CREATE, Outcome.FAILED, error=FULL),
        AppResult(key_of(KERNEL), Action.CREATE, Outcome.FAILED, error=FULL),
        AppResult(key_of(LAB), Action.CREATE, Outcome.STILL_PENDING),
    ]
    assert [(trail.outcome, len(trail.apps)) for trail in trails(apps)] == [
        (Outcome.STILL_PENDING, 1),
        (Outcome.FAILED, 2),
        (Outcome.FAILED, 1),
    ]


def test_what_waits_for_people_who_are_parked_is_one_trail_and_one_line() -> None:
    """Each names its own profile and its own space, and nothing else sets them apart."""
    full = "CreateUserProfile failed with ResourceLimitExceeded"

    def needed(what: str) -> Trouble:
        return Trouble("needed_first", f"not called, since {what}")

    names = ("ann", "bob")
    profiles = [
        OwnerResult(Owner("research", "user", name), Action.CREATE, Outcome.PARKED, 1, 1.0, "", Trouble("X", full))
        for name in names
    ]
    spaces = [
        OwnerResult(
            Owner("research", "space", f"{name}-lab"), Action.CREATE, Outcome.SKIPPED, 0, 0.0, "",
            needed(f"user profile {name} comes first and ended parked: {full}"),
        )
        for name in names
    ]  # fmt: skip
    apps = [
        AppResult(
            key_of(f"research/space/{name}-lab/JupyterLab/default"), Action.CREATE, Outcome.SKIPPED,
            error=needed(f"space {name}-lab comes first and ended skipped: user profile {name} comes first"),
        )
        for name in names
    ]  # fmt: skip
    (trail,) = trails(apps, [*profiles, *spaces])
    assert len(trail.apps) == 2
    lines = owner_result_lines([*profiles, *spaces])
    said = f"not called, since user profile … comes first and ended parked: {full}"
    assert f"  2 spaces in domain research: ann-lab, bob-lab: {said}" in lines


def test_every_outcome_and_every_result_has_its_words() -> None:
    assert set(OUTCOMES) == set(Outcome)
    assert set(NEXT_STEPS) == set(RunResult)
    assert set(Outcome) > GOOD_OUTCOMES


def test_a_hostile_report_stays_on_its_lines() -> None:
    trouble = Trouble(HOSTILE, HOSTILE + "\nFAKE LINE", HOSTILE)
    apps = (AppResult(key_of(LAB)._replace(owner=HOSTILE), Action.CREATE, Outcome.FAILED, error=trouble),)
    text = report_text(a_report(apps=apps, errors=(trouble,), notes=(HOSTILE,), calls={HOSTILE: {HOSTILE: 1}}))
    assert all(is_safe(line) for line in text.splitlines())
    assert not any(line.startswith("FAKE") for line in text.splitlines())


def test_the_status_puts_observed_beside_desired_in_columns() -> None:
    text = status_text(a_status(), width=120)
    assert "  STATUS     OWNER            APP                    INSTANCE TYPE  WANTED\n" in text
    assert "  -          space/alice-lab  JupyterLab/default     ml.t3.medium   running\n" in text
    assert (
        "  InService  space/bob-lab    JupyterLab/default     ml.t3.large    running, differs in instance_type" in text
    )
    assert (
        "  InService  space/old-lab    JupyterLab/default     ml.t3.medium   not declared, owned by this fleet" in text
    )
    assert "  InService  user/alice       KernelGateway/nightly  ml.t3.medium   expired\n" in text
    assert text.endswith("7 apps: 4 InService, 1 absent, 1 Failed, 1 Pending; 2 unmanaged; 7 need attention.\n")


def test_the_status_of_a_narrow_terminal_has_two_lines_an_app() -> None:
    lines = status_text(a_status(), width=60).splitlines()
    row = lines.index("  Failed user/alice/Canvas/default")
    assert lines[row + 1] == "      ml.t3.medium  running"
    assert not any("STATUS" in line for line in lines)


def test_the_status_colours_the_word_alone() -> None:
    text = status_text(a_status(), colour=True, width=120)
    assert "\x1b[31mFailed\x1b[0m     user/alice" in text


def test_the_status_names_the_domains_that_could_not_be_listed() -> None:
    view = a_status(a_plan(decisions=(), lanes=()), (Trouble("AF407", "domain lab: denied", "ask"),))
    text = status_text(view)
    assert "Not listed:\n  AF407: domain lab: denied\n    ask" in text
    assert text.endswith("0 apps: none; 2 unmanaged; not all could be listed.\n")
    assert not view.complete


def test_a_hostile_status_stays_on_its_lines() -> None:
    assert all(is_safe(line) for line in status_text(a_status(a_hostile_plan())).splitlines())


def test_the_status_as_a_document() -> None:
    document = a_status().to_json()
    assert json.loads(json_text(document)) == document
    assert document["summary"] == {"InService": 4, "absent": 1, "Failed": 1, "Pending": 1}
    absent = next(row for row in document["apps"] if row["key"] == LAB)
    assert absent["status"] is None
    assert absent["wanted"] == "running"
    assert absent["team"] == "forecasting"
    assert absent["observed"] is None


def test_json_is_indented_ascii_in_the_order_it_was_made() -> None:
    assert json_text({"b": "ü", "a": 1}) == '{\n  "b": "\\u00fc",\n  "a": 1\n}\n'


def test_json_refuses_what_no_parser_takes() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"a": float("nan")})


def test_a_plan_survives_its_json() -> None:
    document = a_plan().to_json()
    assert json.loads(json_text(document)) == document
    assert document["quotas"][0]["fits"] == Fits.YES


def test_a_good_fleet_is_one_line() -> None:
    assert validate_text(a_fleet(an_app()), file="fleet.toml", policy_files=2) == (
        "fleet.toml: 1 app, 0 users, 0 spaces, 2 domains; 2 policy files; no problems.\n"
    )


def test_warnings_and_findings_are_counted_in_the_closing_line() -> None:
    text = validate_text(
        a_fleet(), file="f.toml", policy_files=1, warnings=2, findings=(Finding("r", "skip", LAB, "denied"),)
    )
    assert text.endswith("f.toml: 0 apps, 0 users, 0 spaces, 2 domains; 1 policy file; 2 warnings, 1 finding.\n")
    assert f"  skip {LAB}: denied\n      rule r\n" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min"), (200.4, "3 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_agree_with_their_noun() -> None:
    assert [count_of(n, "app") for n in (0, 1, 1_000)] == ["0 apps", "1 app", "1,000 apps"]
    assert count_of(2, "policy", "policies") == "2 policies"


def test_the_status_as_markdown_has_the_teams_and_what_is_not_well() -> None:
    text = status_markdown(a_status(errors=(Trouble("AF407", "denied"),), is_new=True))
    assert text.startswith("### 7 apps: 4 InService, 1 absent, 1 Failed, 1 Pending; 2 unmanaged; 7 need attention")
    assert "| Team | Declared | Missing |" in unpadded(text)
    assert "**Drifted (2 apps): apply --replace makes them as declared**" in text
    assert "- Not listed: AF407: denied" in text
    assert all(is_safe(line) for line in status_markdown(a_status(a_hostile_plan())).splitlines())


def test_long_lists_are_folded_in_text_and_markdown() -> None:
    rows = [
        Change(key_of(LAB)._replace(owner=f"s{number:02}"), Action.CREATE, Reason.ABSENT, None, soon)
        for number in range(30)
        for soon in (replace(an_app(LAB), expires=TODAY),)
    ]
    theirs = [
        a_row(f"research/user/u{number:02}/Canvas/default", ownership=Ownership.FOREIGN, foreign_fleet="others")
        for number in range(12)
    ]
    observed = ObservedFleet({"research": ObservedDomain("research", 0.0, {row.key: row for row in theirs})})
    view = a_status(a_plan(decisions=tuple(rows)), observed=observed)
    text = status_text(view, width=100)
    assert text.count("and 20 more") == 2
    assert "(others) and 2 more" in " ".join(text.split())
    assert "last day 2026-11-24, today" in text
    assert "and 20 more" not in status_text(view, every=True)
    assert "<details>" in status_markdown(view, every=True)
    assert "Of other fleets" in status_markdown(view)


def test_several_domains_are_told_apart_in_the_table_of_teams() -> None:
    other = replace(DECISIONS[0], key=DECISIONS[0].key._replace(domain="lab"), after=an_app(BOB_LAB))
    text = status_text(a_status(a_plan(decisions=(DECISIONS[0], other))), width=120)
    assert "research: forecasting" in text
    assert "lab: (no team)" in text


def test_an_app_that_is_still_there_outside_its_hours_says_so_in_its_row_and_below() -> None:
    hours = hours_of("Mon-Fri 08:00-19:00 Europe/Berlin")
    at = HoursAt.of((hours,), datetime(2026, 12, 4, 20, tzinfo=UTC))
    decisions = (
        Change(key_of(LAB), Action.DELETE, Reason.OUTSIDE_HOURS, a_row(LAB), replace(an_app(LAB), hours=hours)),
        Change(key_of(BOB_LAB), Action.NONE, Reason.KEPT, a_row(BOB_LAB), replace(an_app(BOB_LAB), hours=hours)),
    )
    text = status_text(a_status(a_plan(decisions=decisions), hours=at), width=200)
    rows = [line for line in text.splitlines() if line.startswith("  InService")]
    assert [row.partition("running, ")[2] for row in rows] == ["outside its hours, back Mon 08:00"] * 2
    assert "Still there outside their hours (1 app): apply stops those that this fleet owns\n" in text
    assert "No longer wanted" not in text
