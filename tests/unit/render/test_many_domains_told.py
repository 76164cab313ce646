"""Plans and results of very many domains: counts first, and by name only what may be lost or did not end well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.finding import Finding
from engine.core.limits import DOMAINS_OPEN_MAX_COUNT, LANES_SHOWN_MAX_COUNT
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.plan import Fits, Plan, PlanLane, QuotaLine
from engine.core.planner import plan_fleet
from engine.core.status import Condition, StatusRow, StatusView
from engine.core.trouble import Trouble
from engine.render.domains_text import planned_domains, unwell_domains
from engine.render.findings_text import findings_block
from engine.render.layout import Paint
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from engine.render.report.markdown import report_markdown
from engine.render.report.text import report_text
from engine.render.status_markdown import status_markdown
from engine.render.status_text import status_text, team_cells
from tests.fleets import a_row, an_app, observe, options
from tests.growth import spread_fleet

if TYPE_CHECKING:
    from engine.core.identity import AppKey

DOMAINS, APPS = 400, 2_000
LINES_MAX_COUNT = 100  # what somebody reads


@pytest.fixture(scope="module")
def plan() -> Plan:
    """All apps of 400 domains are created, but for three domains."""
    fleet = spread_fleet(DOMAINS, APPS)
    names = [domain.name for domain in fleet.domains]
    made = plan_fleet(fleet, observe(domains=names), options(domain_lanes={}))
    changes = [*made.changes[15:], *_gone("d0000", 3), _replaced("d0001"), _created("d0002", 0)]
    lanes = tuple(PlanLane(domain.account or "", domain.region, "") for domain in fleet.domains)
    return replace(made, decisions=tuple(sorted(changes, key=lambda change: change.key)), lanes=lanes)


def _gone(domain: str, count: int) -> list[Change]:
    rows = [a_row(f"{domain}/user/old{number}/Canvas/default") for number in range(count)]
    return [Change(row.key, Action.DELETE, Reason.NOT_DECLARED, before=row) for row in rows]


def _replaced(domain: str) -> Change:
    app = an_app(f"{domain}/space/p0000-lab/JupyterLab/default", "ml.g5.xlarge")
    row = a_row(str(app.key))
    return Change(app.key, Action.DELETE_THEN_CREATE, Reason.DRIFT, row, app, ("instance_type",))


def _created(domain: str, number: int) -> Change:
    app = an_app(f"{domain}/space/p{number:04}-lab/JupyterLab/default")
    return Change(app.key, Action.CREATE, Reason.ABSENT, after=app)


def test_domains_with_equal_counts_are_one_line_and_what_is_destroyed_comes_first(plan: Plan) -> None:
    assert planned_domains(plan.changes) == [
        ("d0000", "3 to delete", ""),
        ("d0001", "1 to replace", ""),
        ("397 domains", "5 to create each", "d0003, d0004, d0005, d0006, d0007 and 392 more"),
        ("d0002", "1 to create", ""),
    ]


def test_more_lines_than_anybody_reads_are_summed_up() -> None:
    changes = [_created(f"d{domain:04}", number) for domain in range(40) for number in range(domain + 1)]
    lines = planned_domains(changes)
    assert lines[0] == ("d0039", "40 to create", "")
    assert lines[-1] == ("20 more domains", f"{sum(range(21)):,} to create together", "")
    assert len(lines) == 21


def test_few_domains_are_not_counted() -> None:
    changes = [_created(f"d{domain:04}", 0) for domain in range(DOMAINS_OPEN_MAX_COUNT)]
    assert planned_domains(changes) == []
    assert planned_domains([*changes, _created("one-more", 0)]) != []


def test_a_plan_of_many_domains_is_read_in_a_minute_and_names_all_that_goes(plan: Plan) -> None:
    text = plan_text(plan)
    assert text.count("\n") < LINES_MAX_COUNT
    assert text.index("By domain:") < text.index("domain d0000")
    for number in range(3):
        assert f"d0000/user/old{number}/Canvas/default" in text
    assert "d0001/space/p0000-lab/JupyterLab/default" in text
    assert "d0100/space" not in text
    assert "--all shows each of them" in text
    whole = plan_text(plan, unfold=True)
    assert all(str(change.key) in whole for change in plan.changes)
    assert "By domain:" not in whole


def test_the_head_names_some_lanes_and_first_those_at_another_endpoint(plan: Plan) -> None:
    strange = replace(plan.lanes[-1], endpoint="http://127.0.0.1:4566")
    head = plan_text(replace(plan, lanes=(*plan.lanes[:-1], strange))).split("\n\n")[0].splitlines()
    assert "endpoint http://127.0.0.1:4566" in head[1]
    assert head[-1].strip() == "and 390 more accounts and regions"
    assert len(head) == LANES_SHOWN_MAX_COUNT + 2
    all_strange = tuple(replace(lane, endpoint="http://127.0.0.1:4566") for lane in plan.lanes)
    head = plan_text(replace(plan, lanes=all_strange)).split("\n\n")[0].splitlines()
    assert head[-1].strip().endswith("390 of them at an endpoint that is not AWS's own")
    assert plan_text(plan, unfold=True).count("Account") == DOMAINS


def test_quotas_in_which_the_plan_does_not_fit_come_first_and_the_others_are_counted(plan: Plan) -> None:
    fits = {0: Fits.UNKNOWN, 399: Fits.NO}
    quotas = tuple(
        QuotaLine(f"{number:012}/eu-west-1/JupyterLab/x", "q", 10, 1, 1, fits.get(number, Fits.YES))
        for number in range(DOMAINS)
    )
    text = plan_text(replace(plan, quotas=quotas))
    quoted = text[text.index("Quotas:") :].splitlines()
    assert quoted[1].startswith("  000000000399/")
    assert "  and 380 more (380 fit). --all shows each of them" in quoted
    assert plan_text(replace(plan, quotas=quotas), unfold=True).count("/eu-west-1/JupyterLab/x") == DOMAINS


def test_apps_that_drifted_alike_are_one_line(plan: Plan) -> None:
    drifted = [
        Change(app.key, Action.NONE, Reason.DRIFT, a_row(str(app.key), instance_type=kind), app, ("instance_type",))
        for number in range(150)
        for kind in [f"ml.m5.{number}xlarge" if number < 30 else "ml.m5.large"]
        for app in [an_app(f"d{number:04}/space/p0000-lab/JupyterLab/default")]
    ]
    made = replace(plan, decisions=tuple(drifted))
    text = plan_text(made)
    assert "~ 120 apps\n      instance_type ml.m5.large -> ml.t3.medium: d0030/space/p0000-lab" in text
    assert "~ 11 more apps  that differ in other ways. --all shows each of them" in text
    assert text.count("\n") < LINES_MAX_COUNT
    assert all(str(change.key) in plan_text(made, unfold=True) for change in drifted)


def test_markdown_counts_by_domain_too(plan: Plan) -> None:
    text = plan_markdown(plan)
    assert "Changes by domain" in text
    assert "5 to create each" in text
    assert "p0004-lab" not in text
    assert "old2" in text


def test_findings_of_many_kinds_are_bounded() -> None:
    findings = [Finding("quota", "advisory", "", f"lane {number} is not known") for number in range(99)]
    text = findings_block((*findings, Finding("r", "mandatory", "", "no")), Paint(False))
    assert text.splitlines()[1] == "  mandatory no"
    assert text.splitlines()[-1] == "  and 50 more findings. --format json has all of them"


def _result(key: AppKey, number: int) -> AppResult:
    if number % 100 == 7:  # each in a domain of its own, each for a reason of its own
        why = Trouble("ValidationException", f"limit of account {number:012} is {number}", "fix it")
        return AppResult(key, Action.CREATE, Outcome.FAILED, 1, 1.0, error=why)
    if number % 500 == 3:
        return AppResult(key, Action.CREATE, Outcome.PARKED, error=Trouble("ResourceLimitExceeded", "full", ""))
    return AppResult(key, Action.CREATE, Outcome.CREATED)


@pytest.fixture(scope="module")
def report() -> ApplyReport:
    apps = spread_fleet(DOMAINS, APPS * 2).apps
    results = tuple(_result(app.key, number) for number, app in enumerate(apps))
    return ApplyReport("r", "f", "2026-11-24T01:00:00Z", 1.0, results, {})


def test_a_result_of_many_domains_names_what_is_not_well_and_counts_the_rest(report: ApplyReport) -> None:
    said, lines = unwell_domains(report)
    assert said == "360 of 400 domains ended well"
    assert lines == [
        ("8 domains", "1 failed, 1 parked (waiting for a quota) each", "d0000, d0050, d0100, d0150, d0200 and 3 more"),
        ("32 domains", "1 failed each", "d0010, d0020, d0030, d0040, d0060 and 27 more"),
    ]
    text = report_text(report)
    assert text.count("\n") < LINES_MAX_COUNT
    assert "360 of 400 domains ended well:" in text
    assert "21 more apps for 21 more reasons" in text
    assert "p0000-lab" not in text.partition("ended well")[2]


def test_a_result_in_which_all_is_well_says_so_of_the_domains(report: ApplyReport) -> None:
    well = replace(report, apps=tuple(replace(app, outcome=Outcome.CREATED, error=None) for app in report.apps))
    assert unwell_domains(well) == ("400 of 400 domains ended well", [])
    assert "400 of 400 domains ended well.\n" in report_text(well)
    few = replace(report, apps=report.apps[:100])
    assert unwell_domains(few) == ("", [])
    assert "ended well" not in report_text(few)


def test_markdown_makes_no_more_rows_than_fit_and_counts_all_that_do_not(report: ApplyReport) -> None:
    text = report_markdown(report)
    assert "360 of 400 domains ended well; the others" in text
    rows = [line for line in text.splitlines() if "-lab/JupyterLab" in line and "| created " in line]
    missing = next(line for line in text.splitlines() if "more apps did not fit" in line)
    shown = [line for line in text.splitlines() if line.startswith("| `d0") and "JupyterLab" in line]
    assert rows
    assert int(missing.split()[0].strip("_").replace(",", "")) + len(shown) == len(report.apps)


def test_a_result_with_very_many_errors_shows_some_and_counts_the_others(report: ApplyReport) -> None:
    errors = tuple(Trouble("Unreachable", f"domain d{number:04}: no route", "Run again") for number in range(300))
    text = report_text(replace(report, apps=(), errors=errors))
    assert text.count("Failed for the run:") == 20
    assert "and 280 more errors: --format json has all of them" in text


def _view(teams: int, domains: int) -> StatusView:
    rows = [
        StatusRow(
            app.key,
            Reason.IN_SYNC if number else Reason.ABSENT,
            Condition.IN_SERVICE if number else Condition.MISSING,
            app,
            a_row(str(app.key)) if number else None,
        )
        for domain in range(domains)
        for number in range(teams)
        for app in [an_app(f"d{domain:04}/user/u{number:03}/Canvas/default", team=f"team-{number:03}")]
    ]
    lanes = tuple(PlanLane(f"{number:012}", "eu-west-1", "") for number in range(domains))
    errors = tuple(Trouble("Unreachable", f"domain x{number}: no route", "Run again") for number in range(99))
    return StatusView("f", "2026-11-24T01:00:00Z", tuple(rows), 14, lanes, errors=errors)


def test_a_status_of_many_domains_has_a_line_for_each_team_over_all_of_them() -> None:
    text = status_text(_view(3, 400))
    assert (
        "TEAM                   DECLARED  IN SERVICE  MISSING\nteam-000, 400 domains       400           0      400\n"
        in text
    )
    assert "and 390 more accounts and regions" in text
    assert "and 79 more domains. --format json has all of them" in text
    assert text.count("\n") < LINES_MAX_COUNT
    assert "team-001, 400 domains" in status_markdown(_view(3, 400))
    assert "d0007: team-001" in status_text(_view(3, 400), every=True)
    assert "d0007: team-001" in status_text(_view(3, 20))


def test_of_very_many_teams_those_that_are_not_well_come_first() -> None:
    rows = team_cells(_view(60, 21), every=False)
    assert rows[1][0] == "team-000, 21 domains"
    assert rows[-1][:2] == ("10 more", "210")
    assert len(rows) == 1 + 50 + 1
