"""The plan as people read it in a terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date

import pytest

from engine.core.calendars import Calendar
from engine.core.change import Action, Change, Reason
from engine.core.desired import AppSpec
from engine.core.finding import Finding
from engine.core.hours import Hours
from engine.core.plan_json import plan_from_json
from engine.core.request import Request
from engine.core.text import is_safe
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text, summary_line
from engine.render.steps_text import STEPS_SHOWN_MAX_COUNT, steps_text
from engine.render.words import REASONS, instance, why
from tests.fleets import CANVAS, LAB, LANE, a_row, an_app, key_of
from tests.unit.render.samples import BOB_LAB, GPU_LAB, a_hostile_plan, a_plan

UNCOMPARED = (
    "The settings of 2 user profiles and spaces were not compared with the fleet file. To compare them: add --owners"
)
_SGR = re.compile(r"\x1b\[\d+m")


def test_the_head_names_fleet_lanes_endpoint_selectors_and_what_was_asked() -> None:
    head = plan_text(a_plan()).split("\n\n")[0]
    assert head.splitlines() == [
        "Fleet   ml-platform",
        "Account 111122223333, region eu-west-1",
        "Account (unknown), region us-east-1, endpoint http://127.0.0.1:4566",
        "Only    --team forecasting",
        "With    --prune, --replace",
    ]


def test_what_was_asked_for_is_shown_as_it_is_typed() -> None:
    request = Request(
        prune=True, replace_on_drift=True, from_fleet="old one", allow_destructive=("research/*=2", LAB),
        replace_keys=frozenset({key_of(LAB), key_of(BOB_LAB)}), owners=True,
    )  # fmt: skip
    line = next(line for line in plan_text(a_plan(options=request.pairs())).splitlines() if line.startswith("With"))
    assert line.removeprefix("With    ").split(", ") == [
        "--allow-destructive 'research/*=2'",
        f"--allow-destructive {LAB}",
        "--from-fleet 'old one'",
        "--owners",
        "--prune",
        "--replace",
        f"--replace {LAB}",
        f"--replace {BOB_LAB}",
    ]


def test_a_domain_is_named_with_its_account_and_region_where_they_are_known() -> None:
    plan = a_plan(domain_lanes=(("research", LANE),))
    assert f"\ndomain research ({LANE.account}, region {LANE.region})\n" in plan_text(plan)
    assert f"**Domain `research` ({LANE.account}, region {LANE.region}): 2 changes**" in plan_markdown(plan)
    assert plan_from_json(plan.to_json()).domain_lanes == plan.domain_lanes
    assert plan.to_json()["domains"] == {"research": {"account": LANE.account, "region": LANE.region}}


def test_options_that_were_not_asked_for_are_left_out_of_the_head() -> None:
    text = plan_text(a_plan(options=(("prune", "off"), ("replace", "never"), ("replace_keys", ""))))
    assert "With" not in text


def test_a_bare_plan_has_no_empty_sections() -> None:
    text = plan_text(a_plan(decisions=(), selectors=(), options=(), findings=(), quotas=(), lanes=()))
    assert text == (
        "Fleet   ml-platform\n\n"
        "Plan: 0 to create, 0 to replace, 0 to delete; 0 unchanged, 2 unmanaged.\nNothing to do.\n"
    )


def test_changes_are_grouped_by_domain_and_by_team_or_owner_in_aligned_columns() -> None:
    blocks = plan_text(a_plan(), width=140).split("\n\n")
    assert blocks[2].splitlines() == [
        "domain research",
        "  space old-lab",
        "      - research/space/old-lab/JupyterLab/default    ml.t3.medium  no longer declared",
        "  team forecasting",
        "      + research/space/alice-lab/JupyterLab/default  ml.t3.medium  missing",
        "  team vision",
        (
            "    -/+ research/space/gpu-lab/JupyterLab/default    ml.g5.xlarge  "
            "instance_type (unset) -> ml.g5.xlarge; fallback ml.g4dn.xlarge"
        ),
        "  user alice",
        "      + research/user/alice/Canvas/default                         its last start failed",
        "      - research/user/alice/KernelGateway/nightly    ml.t3.medium  expired on 2026-11-24",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_each_change_stands_there_with_the_key_that_a_command_takes(width: int) -> None:
    words = plan_text(a_plan(), width=width).split()
    assert {str(change.key) for change in a_plan().changes} <= set(words)


def test_what_an_app_is_made_with_is_named_and_what_goes_has_none_of_it() -> None:
    key, arn = GPU_LAB, "arn:aws:sagemaker:eu-west-1:111122223333"
    spec = AppSpec(
        instance_type="ml.g5.xlarge",
        image_arn=f"{arn}:image/gpu",
        image_version_alias="1.2",
        lifecycle_config_arn=f"{arn}:studio-lifecycle-config/setup",
    )
    app = replace(an_app(key), spec=spec, expires=date(2026, 12, 31))
    made = Change(key_of(key), Action.CREATE, Reason.ABSENT, after=app)
    hours = Hours("office", Calendar((), UTC, "UTC"))
    timed = replace(made, after=replace(app, hours=hours))
    assert "lifecycle config setup; hours office; until 2026-12-31" in plan_text(a_plan(decisions=(timed,)), width=140)
    said = "ml.g5.xlarge  missing; image gpu:1.2; lifecycle config setup; until 2026-12-31"
    assert said in plan_text(a_plan(decisions=(made,)), width=140)
    version = replace(app, spec=AppSpec(image_version_arn=f"{arn}:image-version/gpu/7", lifecycle_config_arn="None"))
    said = "missing; image gpu/7; lifecycle config None; until 2026-12-31"
    assert said in plan_text(a_plan(decisions=(replace(made, after=version),)), width=140)
    gone = Change(key_of(key), Action.DELETE, Reason.DECLARED_ABSENT, a_row(key), app)
    assert "until 2026" not in plan_text(a_plan(decisions=(gone,)), width=140)


def test_an_app_that_is_deleted_needs_no_fallback() -> None:
    key = GPU_LAB
    gone = Change(key_of(key), Action.DELETE, Reason.DECLARED_ABSENT, a_row(key), an_app(key, fallback=["ml.m5.large"]))
    assert "fallback" not in plan_text(a_plan(decisions=(gone,)))


def test_a_reason_that_does_not_fit_moves_closer_or_to_the_next_line() -> None:
    lines = plan_text(a_plan(), width=80).splitlines()
    assert "      + research/user/alice/Canvas/default  its last start failed" in lines
    assert "      + research/space/alice-lab/JupyterLab/default  ml.t3.medium  missing" in lines
    row = lines.index("    -/+ research/space/gpu-lab/JupyterLab/default    ml.g5.xlarge")
    assert lines[row + 1] == "          instance_type (unset) -> ml.g5.xlarge; fallback ml.g4dn.xlarge"


def test_a_narrow_terminal_gets_one_thing_below_the_other_and_nothing_is_cut() -> None:
    lines = plan_text(a_plan(), width=60).splitlines()
    row = lines.index("      + research/space/alice-lab/JupyterLab/default")
    assert lines[row + 1] == "          ml.t3.medium  missing"
    drift = lines.index("  ~ research/space/bob-lab/JupyterLab/default")
    assert lines[drift + 1] == "      instance_type ml.t3.large -> ml.t3.medium"


def test_the_end_sums_up_and_says_what_to_type() -> None:
    text = plan_text(a_plan(), next_command="appfleet apply --team forecasting")
    assert text.endswith(
        "Plan: 2 to create, 1 to replace, 2 to delete; 2 unchanged, 2 unmanaged.\n"
        "To apply this plan: appfleet apply --team forecasting\n"
    )
    assert "To apply this plan" not in plan_text(a_plan(), next_command="")


def test_a_plan_that_did_not_compare_all_that_it_needs_says_so_before_the_command() -> None:
    lines = plan_text(a_plan(uncompared=2), next_command="appfleet apply").splitlines()
    assert lines[-2:] == [UNCOMPARED, "To apply this plan: appfleet apply"]


def test_apps_of_a_domain_that_could_not_be_listed_are_unknown_and_not_unchanged() -> None:
    unlisted = Change(key_of(LAB), Action.NONE, Reason.DOMAIN_UNLISTED, None, an_app(LAB))
    plan = a_plan(decisions=(unlisted,), complete=False)
    assert summary_line(plan) == "Plan: 0 to create, 0 to replace, 0 to delete; 0 unchanged, 1 unknown, 2 unmanaged."
    assert plan.summary["none"] == 0
    assert plan.to_json()["summary"]["unknown"] == 1
    assert plan_from_json(plan.to_json()).summary == plan.summary


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"decisions": ()}, "Nothing to do."),
        (
            {"decisions": (), "uncompared": 2},
            UNCOMPARED,
        ),
        (
            {"decisions": (Change(key_of(LAB), Action.NONE, Reason.QUARANTINED, None, an_app(LAB)),)},
            "apply can do nothing for 1 app left alone; see the reasons above.",
        ),
        ({"decisions": (), "complete": False}, "Nothing to do in the domains that appfleet could list."),
        (
            {"complete": False},
            "appfleet could not list every domain, so it knows nothing about the apps in the others.",
        ),
        ({"denied": True}, "Denied by a mandatory rule or a guardrail: apply would change nothing. See the findings."),
    ],
)
def test_the_last_line_fits_the_plan(more: dict[str, object], line: str) -> None:
    assert line in plan_text(a_plan(**more)).splitlines()


def test_a_denied_plan_names_no_command() -> None:
    assert "appfleet apply" not in plan_text(a_plan(denied=True))


def test_an_undeclared_app_without_a_known_type_has_an_empty_column() -> None:
    gone = Change(key_of(LAB), Action.DELETE, Reason.NOT_DECLARED, a_row(LAB, instance_type=None))
    bare = Change(key_of(CANVAS), Action.CREATE, Reason.ABSENT)
    assert instance(gone) == instance(bare) == ""


def test_denied_apps_are_counted_when_there_are_any() -> None:
    denied = Change(key_of(LAB), Action.NONE, Reason.DENIED, None, an_app(LAB))
    assert summary_line(a_plan(decisions=(denied,))).endswith("2 unmanaged, 1 denied.")


def test_drift_that_is_left_alone_is_shown_with_both_values() -> None:
    text = plan_text(a_plan())
    assert "Drift, reported and left alone (1 app):" in text
    assert f"~ {BOB_LAB}  instance_type ml.t3.large -> ml.t3.medium" in text
    assert f"~ {GPU_LAB}" not in text


def test_what_is_left_alone_is_counted_named_and_explained() -> None:
    keys = [f"research/space/lab-{number}/JupyterLab/default" for number in range(7)]
    orphaned = tuple(Change(key_of(key), Action.NONE, Reason.ORPHANED, a_row(key)) for key in keys)
    text = plan_text(a_plan(decisions=orphaned))
    assert "no longer declared; prune is off (7): research/space/lab-0" in text
    assert "lab-4/JupyterLab/default and 2 more (apply --prune deletes them)" in text


def test_findings_and_quotas_tell_their_numbers() -> None:
    text = plan_text(a_plan())
    assert f"  advisory {LAB}: ml.t3.medium is old\n      rule approved-types (policies/guardrails.toml:12)" in text
    assert "Findings:\n  mandatory too dear\n      rule spend\n" in text
    assert "  111122223333/eu-west-1/JupyterLab/ml.t3.medium  12 of 20 used  2 wanted  fits" in text
    assert "? of ? used" in text
    assert "does not fit" in text


def test_a_plan_that_a_guardrail_refuses_says_what_lets_it_through() -> None:
    refused = Finding("safety.destroy_max", "mandatory", "", "too many", "", ("research/*=12",))
    text = plan_text(a_plan(denied=True, findings=(refused,)), next_command="appfleet apply --allow-destructive X")
    assert text.endswith("If you mean these deletes and replaces, run: appfleet apply --allow-destructive X\n")
    rule = Finding("spend", "mandatory", "", "too dear")
    assert "appfleet apply" not in plan_text(a_plan(denied=True, findings=(refused, rule)))


def test_colour_changes_nothing_but_colour() -> None:
    painted = plan_text(a_plan(), colour=True)
    assert _SGR.sub("", painted) == plan_text(a_plan())
    assert "\x1b[32m  +\x1b[0m" in painted
    assert "\x1b[" not in plan_text(a_plan())


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_no_control_character_of_a_name_reaches_the_terminal(width: int) -> None:
    text = plan_text(a_hostile_plan(), width=width)
    assert all(is_safe(line) for line in text.splitlines())
    assert "\\u001b" in text


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(Reason)


def test_a_forced_replace_says_that_it_was_asked_for() -> None:
    forced = Change(
        key_of(LAB), Action.DELETE_THEN_CREATE, Reason.FORCED, a_row(LAB, instance_type="ml.t3.large"), an_app(LAB),
        ("instance_type",),
    )  # fmt: skip
    assert why(forced) == "named with --replace; instance_type ml.t3.large -> ml.t3.medium"


def test_a_dry_run_lists_the_calls_in_their_order() -> None:
    lines = steps_text(a_plan()).splitlines()
    assert lines[1] == "Dry run: 5 changes in this order; nothing was called."
    assert lines[2] == "  1  DeleteApp research/space/old-lab/JupyterLab/default"
    assert lines[4] == f"  3  DeleteApp, then CreateApp {GPU_LAB}"
    assert lines[-1] == f"  5  CreateApp {LAB}" or lines[-1] == f"  5  CreateApp {CANVAS}"


def test_a_dry_run_puts_the_heavier_app_first() -> None:
    lines = steps_text(a_plan(), weight=lambda app: 1.0 if app.key == key_of(LAB) else 0.0).splitlines()
    assert lines[5] == f"  4  CreateApp {LAB}"


def test_a_long_dry_run_is_cut_and_counted() -> None:
    keys = [f"research/space/lab-{number:04}/JupyterLab/default" for number in range(STEPS_SHOWN_MAX_COUNT + 3)]
    creates = tuple(Change(key_of(key), Action.CREATE, Reason.ABSENT, None, an_app(key)) for key in keys)
    assert steps_text(a_plan(decisions=creates)).endswith("\n  and 3 more\n")


def test_a_dry_run_of_nothing_says_nothing() -> None:
    assert steps_text(a_plan(decisions=())) == ""
