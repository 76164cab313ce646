"""The few lines of a notice: they fit a phone, and hold nothing that a terminal or a mail would obey."""

from __future__ import annotations

from engine.core.change import Action
from engine.core.identity import parse_app_key
from engine.core.limits import NOTICE_TEXT_MAX_CHARS, NOTICE_TITLE_MAX_CHARS
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.trouble import Trouble
from engine.render.notice_text import notice_text, notice_title

KEY = parse_app_key("research/space/alice-lab/JupyterLab/default")


def report(outcome: Outcome = Outcome.CREATED, *, fleet: str = "ml", **more: object) -> ApplyReport:
    return ApplyReport("run-1", fleet, "", 75.0, (AppResult(KEY, Action.CREATE, outcome),), {}, **more)  # type: ignore[arg-type]


def test_a_run_that_is_well_is_counted() -> None:
    made = report()
    assert notice_title(made, is_simulated=False) == "appfleet ml: converged"
    assert notice_text(made) == "1 created in 1 min 15 s\nappfleet report run-1"
    assert notice_text(ApplyReport("run-1", "", "", 0.1, (), {})).startswith("nothing to do in 0.1 s")


def test_a_run_that_is_not_well_has_its_reason_and_what_to_do() -> None:
    error = Trouble("AF409", "there are no credentials", "Set AWS_PROFILE")
    failed = ApplyReport("run-1", "", "", 0.1, (), {}, errors=(error,))
    assert notice_title(failed, is_simulated=True) == "[simulation] appfleet unknown fleet: failed"
    assert notice_text(failed).splitlines() == [
        "there are no credentials", "Set AWS_PROFILE", "appfleet report run-1",
    ]  # fmt: skip


def test_a_link_is_in_the_place_of_the_command_and_a_page_before_a_file() -> None:
    links = {"report": "s3://b/run-1/report.html", "log": "s3://b/run-1/log.jsonl"}
    assert notice_text(report(links=links)).splitlines()[-1] == "Report: s3://b/run-1/report.html"
    links["page"] = "https://eu-west-1.console.aws.amazon.com/s3/object/b?prefix=run-1/report.html"
    assert notice_text(report(links=links)).splitlines()[-1] == f"Report: {links['page']}"


def test_however_long_and_hostile_it_is_it_stays_short_and_harmless() -> None:
    words = "\x1b[2J\u202e\r\n" * 200
    made = report(Outcome.FAILED, fleet="f" * 63, errors=(Trouble("AF1", words, words),))
    title, text = notice_title(made, is_simulated=True), notice_text(made)
    assert len(title) <= NOTICE_TITLE_MAX_CHARS
    assert title.endswith(": failed: 1 of 1 app not as declared")
    *said, last = text.splitlines()
    assert last == "appfleet report run-1"
    assert len("\n".join(said)) <= NOTICE_TEXT_MAX_CHARS
    assert not set(text) & {"\x1b", "\u202e", "\r"}
