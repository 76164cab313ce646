"""What a person reads at the end of a bad night: what, where, why and the command that helps, at any width.

Each command is whole on a line of its own, apps that ended alike are one paragraph, and nothing is told wrong.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import pty
import re
import shlex
import signal
import struct
import termios
from typing import TYPE_CHECKING, Any

from tests import warm
from tests.e2e.harness import (
    ACCOUNT,
    DOMAIN_ID,
    POLICY,
    PROCESS_MAX_SECONDS,
    QUICK,
    fault,
    fleet_text,
    lab_of,
    people,
    shown,
    until,
)

if TYPE_CHECKING:
    from tests.e2e.harness import Place

BIG = "ml.g5.xlarge"
SMALL = "ml.g4dn.xlarge"
_SGR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(place: Place, columns: int, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run one command to its end with a terminal of so many columns; its exit code, and what was written there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    more: dict[str, Any] = {"TERM": "xterm-256color", **environment}
    with place.process(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, **more) as process:
        os.close(theirs)
        screen = shown(ours, process)
        os.close(ours)
        code = process.wait(timeout=PROCESS_MAX_SECONDS)
    return code, screen.replace("\r\n", "\n")


def typed_in(page: str) -> str:
    """Return a page without the marks that hold the words of its commands together on a narrow screen."""
    return page.replace("<span>", "").replace("</span>", "")


def plain(screen: str) -> str:
    return _SGR.sub("", screen)


def quota(instance_type: str, value: int) -> str:
    return f'[[quota]]\napp_type = "JupyterLab"\ninstance_type = "{instance_type}"\nvalue = {value}\n'


def test_adopting_apps_on_a_colour_terminal_shows_them_in_colour(place: Place) -> None:
    place.write(fleet_text(people(2)))
    for name in people(2):
        place.put_app(lab_of(name))
    code, screen = on_a_terminal(place, 100, "plan", "--adopt")
    assert code == 0
    assert "\x1b[35m  *\x1b[0m" in screen
    assert "2 to adopt" in screen
    code, screen = on_a_terminal(place, 100, "apply", "--adopt", "--yes")
    assert code == 0
    assert "2 adopted" in plain(screen)


def test_the_command_that_raises_a_quota_asks_for_all_that_waits_on_one_line(place: Place) -> None:
    place.write(fleet_text(people(6), lab=f'instance_type = "{BIG}"'))
    place.scenario(QUICK + quota(BIG, 2))
    wanted = "--quota-code L-988CE6C5 --desired-value 6 --region eu-west-1"
    for columns in (40, 120):
        code, screen = on_a_terminal(place, columns, "apply", "--yes")
        assert code == 3
        commands = [line.strip() for line in plain(screen).splitlines() if line.strip().startswith("aws ")]
        assert commands
        assert all(command.endswith(wanted) for command in commands)
        last = plain(screen).rpartition("appfleet: run ")[2]
        assert max(map(len, last.split("\n"))) <= columns, "it is broken at blanks"
        assert " ".join(last.split()).endswith(" parked of 6 apps")
    ran = place.apply()
    hints = {app["error"]["hint"] for app in ran.report["apps"] if app["outcome"] == "parked"}
    assert len(hints) == 1
    assert hints.pop().endswith(wanted)
    assert all(event["hint"].endswith(wanted) for event in ran.events("app.parked") + ran.events("bucket.ended"))
    page = typed_in(place.run("report", log=False).out)
    assert page.count(wanted) == 1


def test_a_quota_of_zero_and_that_of_the_fallback_are_both_named_with_their_commands(place: Place) -> None:
    place.write(fleet_text(people(3), lab=f'instance_type = "{BIG}"\nfallback = ["{SMALL}"]'))
    place.scenario(QUICK + quota(BIG, 0) + quota(SMALL, 0))
    ran = place.run("apply", "--yes")
    assert ran.code == 3
    assert "Failed: 3 apps: " in ran.out
    assert f"{BIG}: " in ran.out
    assert f"its fallback {SMALL}: " in ran.out
    commands = [line.strip() for line in ran.out.splitlines() if line.strip().startswith("aws ")]
    assert len(commands) == 2
    assert "--quota-code L-988CE6C5 --desired-value 3 --region eu-west-1" in commands[0]
    assert "--desired-value 3 --region eu-west-1" in commands[1], "all that come to the fallback need a place there"


def test_no_capacity_names_the_fallback_that_was_tried_as_well(place: Place) -> None:
    place.write(fleet_text(people(2), lab=f'instance_type = "{BIG}"\nfallback = ["{SMALL}"]'))
    place.scenario(
        QUICK + "".join(f'[[failure]]\nreason = "capacity"\ninstance_type = "{kind}"\n' for kind in (BIG, SMALL))
    )
    ran = place.run("apply", "--yes")
    assert ran.code == 3
    assert f"EC2InsufficientCapacityError: {BIG} and its fallback {SMALL} had no capacity" in ran.out
    assert "Failed: 2 apps: " in ran.out


def test_interrupted_apps_are_one_paragraph_and_count_as_accepted(place: Place) -> None:
    names = people(12)
    place.write(fleet_text(names), POLICY)
    place.scenario("schema = 1\n[times]\napp_pending = 3600\n")
    with place.start("apply", "--yes") as running:
        until(lambda: place.calls().get("CreateApp", {}).get("ok", 0) == len(names), "all are accepted")
        running.signal(signal.SIGTERM)
        ran = running.end()
    assert ran.code == 130
    assert ran.out.count("Still starting: 12 apps: ") == 1
    assert ran.out.count("when the run was interrupted (SIGTERM)") == 1
    assert "12 of 12 apps accepted, 0 in service in" in ran.out
    assert "To continue: appfleet apply" in ran.out
    told = ran.events("app.still_pending")
    assert len(told) == 12
    assert all(event["message"] and event["hint"] for event in told)


def test_what_a_guardrail_refuses_names_the_command_that_lets_it_through(place: Place) -> None:
    names = people(20)
    place.write(fleet_text(names), POLICY)
    for name in names:
        place.put_app(lab_of(name), tags={"appfleet:fleet": "e2e"})
    absent = fleet_text(names, lab='instance_type = "ml.t3.medium"\nmode = "absent"')
    place.write(absent, POLICY)
    for command in (("plan",), ("apply", "--dry-run"), ("apply", "--yes")):
        ran = place.run(*command, "--domain", "research")
        assert ran.code == 4
        assert "  DeleteApp research/" not in ran.out, "a plan that is refused has no order of calls"
        line = next(line for line in ran.out.splitlines() if "If you mean these deletes and replaces" in line)
        assert line.endswith("run: appfleet apply --domain research --allow-destructive 'research/*=20'")
        (end,) = ran.events("run.finished")
        assert "20 apps would be deleted" in end["message"]
        assert end["hint"].endswith("add --allow-destructive 'research/*=20'")
    page = html.unescape(typed_in(place.run("report", log=False).out))
    assert "appfleet apply --domain research --allow-destructive 'research/*=20'" in page
    typed = shlex.split(line.partition("run: appfleet ")[2])
    assert place.run(*typed, "--yes").code == 0


def test_quarantined_apps_are_told_to_be_tried_again_with_the_flag_that_does(place: Place) -> None:
    place.write(fleet_text(people(3)), POLICY + "[safety]\nquarantine_after = 1\n")
    place.scenario(QUICK + '[[failure]]\nreason = "it broke"\n')
    assert place.apply("--team", "vision").code == 3
    ran = place.run("apply", "--yes", "--team", "vision")
    assert ran.code == 3
    assert "Skipped: 3 apps: " in ran.out
    skipped = ran.events("app.skipped")
    assert sorted(event["key"] for event in skipped) == [lab_of(name) for name in people(3)]
    assert all("it broke" in event["message"] and "--retry-quarantined" in event["hint"] for event in skipped)
    (end,) = ran.events("run.finished")
    assert end["message"].startswith(f"3 skipped of 3 apps. Such as {lab_of('u000')}: quarantined: ")
    assert "--retry-quarantined" in end["hint"]
    assert "incomplete: 3 skipped of 3 apps. Such as" in place.run("history").out
    assert ran.out.rstrip().endswith("try them again: appfleet apply --team vision --retry-quarantined")


def test_findings_that_say_the_same_are_one(place: Place) -> None:
    (place.folder / "fleet.toml").write_text(fleet_text(people(25)))  # the service has the first four
    planned = place.run("plan")
    findings = planned.out[planned.out.index("Findings:") :].split("\n\n")[0].splitlines()
    assert len(findings) <= 5
    assert any("21 spaces" in line for line in findings)
    assert not any("rule owners" in line for line in findings)
    (fired,) = [event for event in planned.events("rule.fired") if event["rule"] == "owners"]
    assert fired["count"] == 21
    assert len(fired["keys"]) == 21
    assert "4 to create, 0 to replace, 0 to delete; 0 unchanged, 21 left alone, 0 unmanaged." in planned.out


def test_an_answer_that_names_each_app_is_still_one_paragraph(place: Place) -> None:
    place.write(fleet_text(people(5)), POLICY)
    place.scenario(QUICK + fault("access-denied", "CreateApp"))
    ran = place.run("apply", "--yes")
    assert ran.code == 3
    assert sum("AccessDeniedException" in line for line in ran.out.splitlines()) == 1
    assert "Failed: 5 apps: " in ran.out


def test_status_and_history_break_no_word_of_theirs(place: Place) -> None:
    place.write(fleet_text(people(4)), POLICY)
    assert place.apply("--no-wait").code == 0
    assert place.apply().code == 0
    for command, columns in (("status", 40), ("status", 80), ("history", 40), ("history", 80), ("plan", 40)):
        _, screen = on_a_terminal(place, columns, "--log-file", "log.jsonl", command)
        wide = [line for line in plain(screen).splitlines() if len(line) > columns]
        assert all(" " not in line.strip() or line.strip().startswith("appfleet ") for line in wide), wide


def test_the_command_below_a_history_works_from_another_folder(place: Place) -> None:
    assert place.apply("--no-wait").code == 0
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()

    def shown(*words: str) -> str:
        with warm.start(words, cwd=elsewhere, env=place.environment()) as process:
            out, err = process.communicate(timeout=PROCESS_MAX_SECONDS)
        assert (process.returncode, err) == (0, "")
        return out

    listed = shown("-f", "../fleet.toml", "--state-dir", "../.appfleet", "history")
    typed = shlex.split(listed.splitlines()[-1].partition(": appfleet ")[2])
    assert shown(*typed).startswith("<!doctype html>")


def test_a_report_on_a_terminal_goes_to_a_file_that_is_named(place: Place) -> None:
    assert place.apply("--no-wait").code == 0
    code, screen = on_a_terminal(place, 80, "report")
    assert code == 0
    assert "<" not in screen
    (page,) = place.folder.glob("report-*.html")
    assert page.name in " ".join(screen.split())
    assert page.read_text().startswith("<!doctype html>")


def test_a_domain_that_does_not_exist_is_told_once_with_its_line_and_the_domains_that_do(place: Place) -> None:
    fleet = place.folder / "fleet.toml"
    fleet.write_text(fleet_text(people(4)).replace(DOMAIN_ID, "d-research00009"))
    said = f"no domain d-research00009 in eu-west-1 of account {ACCOUNT} (fleet.toml:3). Domains there: {DOMAIN_ID}"
    planned = place.run("plan")
    assert planned.code == 1
    assert planned.out.count("d-research00009") == 1
    assert said in planned.out
    assert "0 unchanged, 4 unknown, 0 unmanaged." in planned.out
    assert json.loads(place.run("plan", "--format", "json").out)["summary"]["none"] == 0
    shown = place.run("status")
    assert shown.code == 1
    assert "4 apps: 4 unknown; " in shown.out
    assert "absent" not in shown.out
    assert f"Domains there: {DOMAIN_ID}" in shown.out
    ran = place.run("apply", "--yes")
    assert ran.code == 1
    assert ran.out.count("d-research00009") == 1
    assert place.calls()["ListDomains"] == {"ok": 4}
