"""Markdown for pull requests: bounded, folded, and deaf to what stands in names."""

from __future__ import annotations

import re

import pytest

from engine.core.outcome import AppResult, Outcome
from engine.core.plan import Action, Change, Reason
from engine.render.markdown import MARKDOWN_MAX_CHARS, Page, code
from engine.render.plan_markdown import plan_markdown
from engine.render.report_markdown import report_markdown
from tests.fleets import LAB, an_app, key_of
from tests.unit.render.samples import HOSTILE, a_hostile_plan, a_plan, a_report

COMMENT_MAX_CHARS = 65_536


def _creates(count: int) -> tuple[Change, ...]:
    keys = [f"research/space/lab-{number:05}/JupyterLab/default" for number in range(count)]
    return tuple(Change(key_of(key), Action.CREATE, Reason.ABSENT, None, an_app(key)) for key in keys)


@pytest.mark.parametrize("char", list("|`<>@#*_~[]!\\$:&"))
def test_a_character_with_a_meaning_becomes_an_entity(char: str) -> None:
    assert code(char) == f"<code>&#{ord(char)};</code>"


def test_a_web_address_makes_no_link() -> None:
    assert code("www.example.com http://x") == "<code>www&#46;example.com http&#58;//x</code>"


def test_nothing_is_no_code() -> None:
    assert code("") == ""


def test_a_hostile_name_makes_neither_cell_nor_tag_nor_mention() -> None:
    text = plan_markdown(a_hostile_plan())
    bare = re.sub(r"<code>[^<]*</code>", "CODE", text)
    assert "@" not in text
    assert "`" not in bare
    assert "<b>" not in text
    assert "\x1b" not in text
    rows = [line for line in bare.splitlines() if line.startswith("| ")]
    assert all(line.count("|") in (3, 4, 5, 6, 7) for line in rows)
    assert "|  | group | owner | app | instance type | why |" in rows


def test_the_plan_opens_with_its_sum_and_ends_with_its_fingerprint() -> None:
    text = plan_markdown(a_plan(), next_command="appfleet apply --team a")
    assert text.startswith("### Plan: 2 to create, 1 to replace, 2 to delete; 2 unchanged, 2 unmanaged.\n")
    assert "To make it so: <code>appfleet apply --team a</code>" in text
    assert text.rstrip().endswith("</code>")
    assert a_plan().fingerprint.removeprefix("sha256:") in text


def test_a_short_table_lies_open_and_a_long_one_is_folded_away() -> None:
    assert "<details>" not in plan_markdown(a_plan())
    assert "<summary>Domain <code>research</code>: 30 changes</summary>" in plan_markdown(
        a_plan(decisions=_creates(30))
    )


def test_a_plan_of_thousands_fits_into_a_comment_and_says_what_it_left_out() -> None:
    text = plan_markdown(a_plan(decisions=_creates(5_000)))
    assert len(text) < COMMENT_MAX_CHARS
    assert text.count("<details>") == text.count("</details>")
    left_out = re.search(r"_([\d,]+) more rows did not fit here", text)
    assert left_out is not None
    shown = text.count("JupyterLab/default</code>") - 1  # one stands in a finding
    assert shown + int(left_out[1].replace(",", "")) >= 5_000


def test_a_report_of_thousands_fits_into_a_comment() -> None:
    apps = tuple(AppResult(change.key, Action.CREATE, Outcome.CREATED, 1, 1.0) for change in _creates(5_000))
    text = report_markdown(a_report(apps=apps))
    assert len(text) < COMMENT_MAX_CHARS
    assert text.count("<details>") == text.count("</details>") == 1


def test_a_report_tells_result_counts_troubles_and_next_step() -> None:
    text = report_markdown(a_report())
    assert text.startswith("### Fleet <code>ml-platform</code>: incomplete\n")
    assert "| parked (waiting for a quota) | 2 |" in text
    assert "<code>AccessDeniedException</code> | <code>not allowed</code> |  |" in text
    assert "Next: mend what is named above" in text
    assert "- Note: <code>the journal is new</code>" in text


def test_a_report_of_nothing_has_no_tables() -> None:
    text = report_markdown(a_report(apps=(), calls={}, notes=()))
    assert "|" not in text


def test_a_page_owns_up_to_rows_that_did_not_fit_and_closes_its_fold() -> None:
    page = Page(max_chars=600)
    left_out = page.section("title", ["| a |", "|---|"], [f"| {number:050} |" for number in range(20)], folded=True)
    text = page.text(left_out, "appfleet plan")
    assert 0 < left_out < 20
    assert len(text) <= 600
    assert text.index("</details>") < text.index(f"_{left_out} more rows")


def test_a_page_that_is_full_opens_no_section() -> None:
    page = Page(max_chars=420)
    assert page.section("title", ["head"], ["row"], folded=True) == 1
    assert "<details>" not in page.text(1, "x")


def test_our_bound_is_below_the_one_of_a_comment() -> None:
    assert MARKDOWN_MAX_CHARS < COMMENT_MAX_CHARS


def test_a_hostile_report_makes_no_mention() -> None:
    apps = (AppResult(key_of(LAB)._replace(owner=HOSTILE), Action.CREATE, Outcome.FAILED),)
    assert "@" not in report_markdown(a_report(apps=apps, fleet=HOSTILE, run_id=HOSTILE, notes=(HOSTILE,)))
