"""Each exit code of the contract, and what stands beside it; once each from an interpreter of its own."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.limits import CALLER_MAX_SECONDS
from tests.e2e.harness import (
    ACCOUNT,
    DOMAIN_ID,
    OTHER_DOMAIN_ID,
    POLICY,
    QUICK,
    fault,
    fleet_text,
    lab_of,
    people,
    until,
)

if TYPE_CHECKING:
    from tests.e2e.harness import Place

FOR_EVER = QUICK.replace("app_pending = 0.05", "app_pending = 3600")  # Pending until the test puts it into service
OTHER_DOMAIN = f"""
[domains.other]
id = "{OTHER_DOMAIN_ID}"
region = "us-east-1"
[domains.other.users.zoe]
apps = [{{ type = "Canvas" }}]
"""
RULE = """
[[rule]]
id = "small-labs"
enforcement = "mandatory"
check = 'instance_type == "ml.t3.small"'
message = "{instance_type} is not small"
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_0_when_everything_is_in_service(place: Place) -> None:
    ran = place.apply(cold=True)
    assert ran.code == 0, ran.err
    assert ran.report["result"] == "converged"
    assert ran.report["summary"] == {"created": 4}
    assert all(place.status_of(lab_of(person)) == "InService" for person in people(4))
    assert place.stats()["create_for_live_key"] == 0
    assert ran.report["calls"]["GetCallerIdentity"] == {"ok": 1}


def test_1_without_credentials(place: Place) -> None:
    ran = place.apply(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_SESSION_TOKEN="", cold=True)
    assert ran.code == 1
    assert ran.report["result"] == "failed"
    assert "there are no credentials for domain research (fleet.toml:3)" in ran.err
    assert "AWS_PROFILE" in ran.err
    assert place.calls() == {}


def test_1_when_the_endpoint_cannot_be_reached(place: Place) -> None:
    """Row 12: a refused connection sent nothing, so it is tried again, here for no longer than the policy says."""
    assert CALLER_MAX_SECONDS == 30.0
    (place.folder / "policies" / "execution.toml").write_text('[backoff.transient]\ngive_up_after = "0s"\n')
    port = free_port()
    ran = place.apply(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    assert ran.code == 1
    assert ran.report["error"]["code"] == "AF410"
    assert "error AF410" in ran.err
    assert str(port) in ran.err


def test_1_when_one_domain_cannot_be_listed_and_the_other_is_done_all_the_same(place: Place) -> None:
    """Row 20 and row 23: what is wrong with one domain ends that domain alone."""
    place.write(fleet_text(people(2), more=OTHER_DOMAIN))
    place.within(lambda world: world.domains.pop(OTHER_DOMAIN_ID))
    ran = place.apply("--no-wait")
    assert ran.code == 1
    assert ran.report["result"] == "failed"
    assert ran.report["summary"] == {"created": 2, "skipped": 1}
    (error,) = ran.report["errors"]
    assert error["message"].startswith("domain other: ")
    assert error["hint"]
    skipped = next(app for app in ran.report["apps"] if app["outcome"] == "skipped")
    assert skipped["error"]["code"] == "domain_unlisted"
    planned = place.run("plan", "--format", "json")
    assert planned.code == 1
    assert planned.report["complete"] is False


def test_2_only_from_plan_with_detailed_exitcode(place: Place) -> None:
    """Row 47: the plan is a function of the files and of what is there, and nothing is called but what looks."""
    plain = place.run("plan", "--format", "json")
    detailed = place.run("plan", "--format", "json", "--detailed-exitcode")
    assert (plain.code, detailed.code) == (0, 2)
    assert plain.report["summary"]["create"] == 4
    assert plain.report["fingerprint"] == detailed.report["fingerprint"]
    assert plain.report["lanes"] == [{"account": ACCOUNT, "region": "eu-west-1", "endpoint": place.url}]
    assert place.only_looked()
    assert place.calls()["ListApps"] == {"ok": 2}
    assert place.apply("--no-wait").code == 0
    assert place.run("plan", "--detailed-exitcode").code == 0


def test_3_when_apps_failed_and_the_others_are_done(place: Place) -> None:
    """Row 32: a lifecycle script that fails is final, with the service's own reason, and row 22: so is validation."""
    place.scenario(
        QUICK
        + '[[failure]]\nreason = "lifecycle"\nowner = "u001-lab"\n'
        + fault("error", "CreateApp", code="ValidationException", message="1 validation error detected", max_count=1)
    )
    ran = place.apply()
    assert ran.code == 3
    assert ran.report["result"] == "incomplete"
    assert ran.report["summary"] == {"created": 2, "failed": 2}
    troubles = {app["key"]: app["error"] for app in ran.report["apps"] if app["error"]}
    assert "LifecycleConfig execution failed" in troubles.pop(lab_of("u001"))["message"]
    (refused,) = troubles.values()
    assert refused["code"] == "ValidationException"
    assert "1 validation error detected" in refused["message"]
    assert ran.report["calls"]["CreateApp"] == {"ok": 3, "rejected": 1}
    assert ran.report["calls"]["DescribeApp"] == {"ok": 1}


def test_3_when_a_quota_stays_full(place: Place) -> None:
    """Row 3: what waits for its quota ends parked, and says which quota it is."""
    place.scenario(QUICK + '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 3\n')
    ran = place.apply("--no-wait")
    assert ran.code == 3
    assert ran.report["summary"] == {"created": 3, "parked": 1}
    parked = next(app["error"] for app in ran.report["apps"] if app["outcome"] == "parked")
    assert parked["code"] == "ResourceLimitExceeded"
    assert "ml.t3.medium" in parked["message"]


def test_3_when_apps_are_still_pending_and_0_when_the_next_run_finds_them(place: Place) -> None:
    """Row 31: Pending for ever is reported as still pending, is not deleted, and the next run takes it up."""
    place.scenario(FOR_EVER)
    (place.folder / "policies" / "execution.toml").write_text(
        POLICY.replace("[execution]", '[execution]\nsettle_timeout = "1s"')
    )
    ran = place.apply()
    assert ran.code == 3
    assert ran.report["summary"] == {"still_pending": 4}
    assert all("the next run picks it up" in app["error"]["hint"] for app in ran.report["apps"])
    place.settle()
    again = place.apply()
    assert again.code == 0
    assert again.report["summary"] == {"unchanged": 4}
    assert place.calls()["CreateApp"] == {"ok": 4}


def test_4_when_a_mandatory_rule_says_no(place: Place) -> None:
    place.write(fleet_text(people(2)), rules=RULE)
    for command in ("apply", "plan", "validate"):
        arguments = {"apply": ["--yes", "--format", "json"], "plan": ["--format", "json"], "validate": []}[command]
        ran = place.run(command, *arguments)
        assert ran.code == 4, (command, ran.err)
        assert "ml.t3.medium is not small" in ran.out
    assert set(place.calls()) == {"GetCallerIdentity", "ListApps"}


def test_4_when_a_guardrail_says_no(place: Place) -> None:
    """Row 37: a plan that is too large is refused whole, with the numbers."""
    place.write(fleet_text(people(4)), policy=POLICY + "[safety]\ncreate_max = 3\n")
    ran = place.apply()
    assert ran.code == 4
    assert ran.report["result"] == "denied"
    assert ran.report["summary"] == {"denied": 4}
    (finding,) = ran.report["findings"]
    assert "create_max" in finding["rule"] + finding["message"]
    assert set(place.calls()) == {"GetCallerIdentity", "ListApps"}
    assert place.run("plan").code == 4


def test_5_for_the_second_of_two_runs(place: Place) -> None:
    """Row 43: of two runs that start at the same moment one works, and the other names it; nothing is made twice."""
    place.scenario(FOR_EVER)
    with (
        place.start("apply", "--yes", "--format", "json", cold=True) as one,
        place.start("apply", "--yes", "--format", "json", cold=True) as other,
    ):
        until(lambda: any(run.process.poll() is not None for run in (one, other)), "one of them was refused")
        until(lambda: place.calls().get("CreateApp") == {"ok": 4}, "the other has begun all")
        place.settle()
        worked, refused = sorted((one.end(), other.end()), key=lambda ran: ran.code)
        pids = {str(one.process.pid), str(other.process.pid)}
    assert (worked.code, refused.code) == (0, 5)
    assert worked.report["summary"] == {"created": 4}
    assert (refused.report["result"], refused.report["exit_code"]) == ("failed", 5)
    assert "error AF501" in refused.err
    assert any(f"process {pid}" in refused.err or f"pid {pid}" in refused.err for pid in pids), refused.err
    assert worked.report["run_id"] in refused.err
    assert place.calls()["CreateApp"] == {"ok": 4}
    assert place.calls()["GetCallerIdentity"] == {"ok": 1}


def test_5_is_not_given_to_a_run_that_may_wait(place: Place) -> None:
    place.scenario("schema = 1\n[times]\napp_pending = 0.5\n")
    with place.start("apply", "--yes", "--format", "json") as first:
        until(lambda: '"run.started"' in first.log_text(), "the first run has the lock")
        second = place.apply("--lock-timeout", "1h")
        assert first.end().code == 0
    assert second.code == 0
    assert second.report["summary"] == {"unchanged": 4}


USAGE_CASES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a flag that there is not": (["apply", "--yess"], {}, "--yes"),
    "a key that is none": (["plan", "--key", "alice"], {}, "--key"),
    "an empty selector": (["plan", "--team", ""], {}, "--team is empty"),
    "an empty fingerprint": (["apply", "--yes", "--checksum", ""], {}, "--checksum is empty. Give it a value"),
    "an empty endpoint": (["apply", "--yes", "--endpoint-url="], {}, "--endpoint-url is empty"),
    "an empty run": (["onboard", "a", "--undo", "", "--yes"], {}, "--undo is empty"),
    "an empty team": (["offboard", "", "--yes"], {}, "an argument is empty"),
    "an empty file": (["plan", "--out", ""], {}, "--out is empty"),
    "an empty state folder": (["--state-dir", "", "plan"], {}, "--state-dir is empty"),
    "a duration that is none": (["apply", "--yes", "--deadline", "soon"], {}, "--deadline"),
    "an allowance that is none": (["plan", "--allow-destructive", "x=y=z"], {}, "--allow-destructive"),
    "a format that there is not": (["plan", "--format", "yaml"], {}, "--format"),
    "apply without a terminal": (["apply"], {}, "--yes"),
    "plain http to another machine": (["plan"], {"AWS_ENDPOINT_URL": "http://192.0.2.1:80"}, "must be https"),
    "an endpoint with a password": (
        ["plan", "--endpoint-url", "http://me:hunter2@127.0.0.1:9"],
        {},
        "without a user name",
    ),
    "no fleet file": (["-f", "elsewhere.toml", "plan"], {}, "elsewhere.toml"),
}


@pytest.mark.parametrize("case", USAGE_CASES)
def test_64_for_a_wrong_call(place: Place, case: str) -> None:
    """Row 53: credentials are never sent over plain http to another machine."""
    arguments, environment, said = USAGE_CASES[case]
    ran = place.run(*arguments, **environment)
    assert ran.code == 64, ran.err
    assert ran.out == ""
    assert "appfleet: error AF1" in ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert "hunter2" not in ran.err
    assert place.calls() == {}


def test_64_for_files_that_are_not_valid_with_every_problem_at_its_line(place: Place) -> None:
    place.folder.joinpath("fleet.toml").write_text(fleet_text(["alice", "a lice"], more="[apps.x]\ntyp = 1\n"))
    ran = place.run("apply", "--yes", cold=True)
    assert ran.code == 64
    assert "fleet.toml:8: " in ran.out
    assert "fleet.toml:8: " in ran.err
    assert "Did you mean" in ran.err
    assert ran.err.count("fleet.toml:") >= 2
    place.write(fleet_text(["alice"]), rules='[[rule]]\nid = "x"\nenforcement = "mandatory"\ncheck = "app_typ == 1"\n')
    broken = place.run("plan")
    assert broken.code == 64
    assert "policies/rules.toml:4: " in broken.err
    assert "error AF201" in broken.err
    assert place.calls() == {}


def test_1_for_the_wrong_account_before_anything_but_the_question_who_calls(place: Place) -> None:
    """Row 57: credentials of another account than the file names are refused before anything is listed."""
    place.within(lambda world: setattr(world, "account", "999988887777"))
    for command in (["plan"], ["apply", "--yes"], ["status"]):
        ran = place.run(*command)
        assert ran.code == 1
        assert ("Run " in ran.out) is (command[0] == "apply"), "a run has its result, a look only its error"
        assert f"in account {ACCOUNT}" in ran.err
        assert "of account 999988887777" in ran.err
    assert place.calls() == {"GetCallerIdentity": {"ok": 3}}


def test_an_error_is_one_line_that_says_what_where_and_what_to_do(place: Place) -> None:
    place.scenario(QUICK + fault("access-denied", "ListApps"))
    ran = place.run("plan", "--format", "json", log=False)
    assert ran.code == 1
    assert json.loads(ran.out)["complete"] is False
    assert "sagemaker:ListApps" in ran.err
    assert DOMAIN_ID not in ran.out or "Traceback" not in ran.err


def test_1_with_a_word_on_the_clock_when_signatures_have_expired(place: Place) -> None:
    """Row 21: a wrong clock is an error of the run, and says how to set it."""
    expired = "Signature expired: 20261124T010000Z is now earlier than 20261124T015500Z (20261124T020000Z - 5 min.)"
    place.scenario(QUICK + fault("error", "ListApps", code="InvalidSignatureException", message=expired, status=403))
    ran = place.apply()
    assert ran.code == 1
    assert "clock" in ran.report["errors"][0]["hint"]
    assert set(place.calls()) == {"GetCallerIdentity", "ListApps"}
