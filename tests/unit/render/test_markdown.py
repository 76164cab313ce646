"""Markdown for pull requests: bounded, folded, and deaf to what stands in names."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.finding import Finding
from engine.core.outcome import AppResult, Outcome
from engine.core.plan import Fits, QuotaLine
from engine.core.text import count_of
from engine.render.markdown import (
    MARKDOWN_MAX_CHARS,
    PADDED_CELL_MAX_CHARS,
    Page,
    bullets,
    code,
    prose,
    table_head,
    table_row,
)
from engine.render.plan_markdown import plan_markdown
from engine.render.report.markdown import report_markdown
from tests.fleets import LAB, a_row, an_app, key_of
from tests.tables import unpadded
from tests.unit.render.samples import HOSTILE, a_hostile_plan, a_plan, a_report
from tests.unit.render.test_outlook import COST, FORECAST

COMMENT_MAX_CHARS = 65_536


def _creates(count: int, team: str = "vision") -> tuple[Change, ...]:
    keys = [f"research/space/lab-{number:05}/JupyterLab/default" for number in range(count)]
    return tuple(Change(key_of(key), Action.CREATE, Reason.ABSENT, None, an_app(key, team=team)) for key in keys)


@pytest.mark.parametrize("char", list("|`\\$"))
def test_what_could_end_code_or_a_cell_becomes_an_entity(char: str) -> None:
    assert code(char) == f"<code>&#{ord(char)};</code>"
    assert code(f"{char}@<") == f"<code>&#{ord(char)};&#64;&#60;</code>"


@pytest.mark.parametrize("char", list("<>@#*_~[]!:&"))
def test_what_has_no_meaning_between_backticks_can_be_copied_from_the_raw_text(char: str) -> None:
    assert code(char) == f"`{char}`"


def test_a_web_address_makes_no_link() -> None:
    assert code("www.example.com http://x") == "`www.example.com http://x`"
    assert code("www.example.com http://x|") == "<code>www&#46;example.com http&#58;//x&#124;</code>"


def test_a_blank_at_an_end_is_kept() -> None:
    assert code(" a") == "<code> a</code>"


def test_nothing_is_no_code() -> None:
    assert code("") == ""


def test_a_sentence_is_a_sentence_and_what_is_more_than_words_is_code() -> None:
    assert prose("its last start failed; fallback ml.g4dn.xlarge") == "its last start failed; fallback ml.g4dn.xlarge"
    assert prose("differs in instance_type of @alice") == ("differs in `instance_type` of `@alice`")
    assert prose("see https://example.com or www.example.com") == ("see `https://example.com` or `www.example.com`")
    assert prose("") == ""


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("domains.main.role_arn: not valid", "{domains.main.role_arn}: not valid"),
        ("role_arn, user_name; and (x_y).", "{role_arn}, {user_name}; and ({x_y})."),
        ("drop 'main/*=6', then a_b c_d: go", "drop '{main/*=6}', then {a_b c_d}: go"),
        ("a_b (c_d) e", "{a_b} ({c_d}) e"),
        ("call f_x(1). Or f_x(g(2)):", "call {f_x(1)}. Or {f_x(g(2)}):"),
        ("is it @all?", "is it {@all}?"),
        ("x_y ", "{x_y} "),
        ("a  b_c  d_e", "a  {b_c}  {d_e}"),
        ("_", "{_}"),
        ("*:", "{*}:"),
        ("a_b 1 -> 2; c ->d", "{a_b} 1 -> 2; c {->d}"),
    ],
)
def test_punctuation_around_a_name_belongs_to_the_sentence(sentence: str, shown: str) -> None:
    parts = re.split(r"\{(.*?)\}", shown)
    wanted = "".join(code(part) if place % 2 else part for place, part in enumerate(parts))
    assert prose(sentence) == wanted


@pytest.mark.parametrize(
    "word", ["#12", "@all", "GH-12", "www.x.com", "http://x", "deadbeef", "a*b*", "<b>", "!1", "$1"]
)
def test_what_a_forge_would_link_is_code(word: str) -> None:
    assert prose(word) == code(word)
    assert prose(word) != word


def test_a_hostile_name_makes_neither_cell_nor_tag_nor_mention() -> None:
    text = unpadded(plan_markdown(a_hostile_plan()))
    bare = re.sub(r"<code>[^<]*</code>", "CODE", text)
    assert "@" not in text
    assert HOSTILE.count("`") == 1
    assert not re.sub(r"`[^`|]+`", "CODE", bare).count("`")
    assert "<b>" not in text
    assert "\x1b" not in text
    rows = [line for line in bare.splitlines() if line.startswith("| ")]
    assert all(line.count("|") in (3, 4, 5, 6, 7) for line in rows)
    assert "| change | group | app | instance type | why |" in rows


def test_the_plan_opens_with_its_sum_and_ends_with_its_fingerprint() -> None:
    text = plan_markdown(a_plan(), next_command="appfleet apply --team a")
    assert text.startswith("### Plan: 2 to create, 1 to replace, 2 to delete; 2 unchanged, 2 unmanaged.\n")
    assert "To apply this plan: `appfleet apply --team a`" in text
    assert text.splitlines()[-1] == f"Fingerprint {code(a_plan().fingerprint)}"


def test_every_column_has_a_head_and_words_are_not_code() -> None:
    text = unpadded(plan_markdown(a_plan(cost=COST, forecast=FORECAST)))
    heads = [line for line, below in pairwise(text.splitlines()) if below.startswith("| --- |")]
    assert heads
    assert all("|  |" not in head for head in heads)
    assert "<code>does not fit" not in text
    assert "<code>missing" not in text
    assert "- Account: 111122223333, region eu-west-1" in text


def test_what_belongs_to_a_line_is_nested_below_it() -> None:
    lines = plan_markdown(a_plan(cost=COST, forecast=FORECAST)).splitlines()
    cost = next(number for number, line in enumerate(lines) if line.startswith("- Cost: "))
    assert lines[cost + 1].startswith("  - no team: ") or lines[cost + 1].startswith("  - team vision: ")
    assert any(line.startswith(("  - assumes: create", "  - assumes: `create")) for line in lines)


def test_a_short_table_lies_open_and_a_long_one_is_folded_away() -> None:
    assert "<details>" not in plan_markdown(a_plan())
    assert "<summary>Domain <code>research</code>: 30 changes</summary>" in plan_markdown(
        a_plan(decisions=_creates(30))
    )


def test_columns_of_a_table_are_below_each_other_until_a_long_cell_gives_way() -> None:
    page = Page()
    page.table("Hours", table_head("hours", "now"), [table_row("a", "open"), table_row("`Mon-Fri`", "shut")])
    assert page.text().splitlines()[2:] == [
        "| hours     | now  |",
        "| --------- | ---- |",
        "| a         | open |",
        "| `Mon-Fri` | shut |",
    ]
    long = "x" * (PADDED_CELL_MAX_CHARS + 5)
    page = Page()
    page.table("Hours", table_head("hours", "now"), [table_row("a", "open"), table_row(long, "shut")])
    assert [line.index("|", 2) for line in page.text().splitlines()[2:]] == [63, 63, 63, 68]


def test_a_table_that_fits_only_without_its_padding_is_not_padded() -> None:
    rows = [table_row("x" * (1 + 50 * (number == 9)), "y") for number in range(10)]
    page = Page(max_chars=400)
    page.table("T", table_head("a", "b"), rows)
    assert "| x | y |" in page.text()


def test_creates_that_are_alike_are_folded_as_in_text() -> None:
    text = plan_markdown(a_plan(decisions=_creates(5_000, team="vision")))
    assert "5,000 x JupyterLab/default: `spaces lab-00000, lab-00001, " in text
    assert "did not fit" not in text
    assert len(text) < 5_000


def _destroys(count: int, action: Action = Action.DELETE) -> tuple[Change, ...]:
    keys = [f"research/space/old-{number:05}/JupyterLab/default" for number in range(count)]
    return tuple(Change(key_of(key), action, Reason.DECLARED_ABSENT, a_row(key), an_app(key)) for key in keys)


@pytest.mark.parametrize("action", [Action.DELETE, Action.DELETE_THEN_CREATE])
@pytest.mark.parametrize("count", [1, 25, 300, 3_000])
def test_every_delete_and_replace_stands_in_the_comment_before_any_create(count: int, action: Action) -> None:
    destroys = _destroys(count, action)
    plan = a_plan(decisions=tuple(sorted((*_creates(3_000), *destroys), key=lambda change: change.key)))
    text = plan_markdown(plan)
    assert len(text) < COMMENT_MAX_CHARS
    assert all(change.key.owner in text for change in destroys)
    assert text.index("old-00000") < text.index("lab-00000")
    assert f"Deletes and replaces: {count_of(count, 'app')}" in text
    assert text.splitlines()[-1] == f"Fingerprint {code(plan.fingerprint)}"
    assert "**Quotas (3)**" in text


def test_deletes_that_no_comment_can_hold_are_counted_and_say_where_they_are() -> None:
    plan = a_plan(decisions=_destroys(20_000), cost=COST, forecast=FORECAST)
    text = plan_markdown(plan)
    assert len(text) < COMMENT_MAX_CHARS
    assert "Deletes and replaces: 20,000 apps" in text
    left_out = re.search(r"_(\d+) more lines of keys did not fit here; `appfleet plan` shows all", text)
    assert left_out is not None
    assert text.count(" old-") + text.count("`old-") + 40 * int(left_out[1]) >= 20_000
    assert text.splitlines()[-1] == f"Fingerprint {code(plan.fingerprint)}"


@pytest.mark.parametrize("count", [5, 5_000])
def test_findings_quotas_and_cost_keep_their_room_whatever_else_there_is(count: int) -> None:
    findings = tuple(Finding(f"rule-{number}", "advisory", LAB, f"message {number} " * 20) for number in range(count))
    mandatory = Finding("spend", "mandatory", "", "too dear")
    quotas = tuple(
        QuotaLine(f"1/eu-west-1/JupyterLab/ml.t{number}.large", "", 1, 1, 1, Fits.YES) for number in range(count)
    )
    full = QuotaLine("1/eu-west-1/JupyterLab/ml.z9.large", "Studio JupyterLab Apps running on ml.z9.large instances",
                     1, 1, 5, Fits.NO, "L-ABC123")  # fmt: skip
    more = {"findings": (*findings, mandatory), "quotas": (*quotas, full), "cost": COST, "forecast": FORECAST}
    plan = a_plan(decisions=(*_creates(2_000), *_destroys(2_000)), **more)
    text = plan_markdown(plan)
    assert len(text) < COMMENT_MAX_CHARS
    assert text.index("too dear") < text.index("message 0")
    assert "does not fit" in text
    assert "    aws service-quotas request-service-quota-increase" in text
    assert "--desired-value 6 --region eu-west-1" in text
    assert "old-01999" in text
    assert text.splitlines()[-1] == f"Fingerprint {code(plan.fingerprint)}"


def test_a_selection_of_thousands_of_keys_neither_fills_the_comment_nor_vanishes() -> None:
    selectors = tuple(("key", f"research/space/lab-{number:05}/JupyterLab/default") for number in range(5_000))
    command = "appfleet apply " + " ".join(f"--key {key}" for _, key in selectors)
    text = plan_markdown(a_plan(selectors=selectors), next_command=command)
    assert len(text) < COMMENT_MAX_CHARS
    assert "- Only: `--key research/space/lab-00000" in text
    assert "To apply this plan, run `appfleet apply` with the same flags." in text
    assert "old-lab" in text


def test_a_report_of_thousands_fits_into_a_comment() -> None:
    apps = tuple(AppResult(change.key, Action.CREATE, Outcome.CREATED, 1, 1.0) for change in _creates(5_000))
    text = report_markdown(a_report(apps=apps))
    assert len(text) < COMMENT_MAX_CHARS
    assert text.count("<details>") == text.count("</details>") == 1


def test_a_report_tells_result_counts_troubles_and_next_step() -> None:
    text = unpadded(report_markdown(a_report()))
    assert text.startswith("### Fleet `ml-platform`: incomplete\n")
    assert "| parked (waiting for a quota) | 2 |" in text
    assert "`AccessDeniedException` | not allowed |  |" in text
    assert "Next: fix the problems above (finished apps are kept), then run: `appfleet apply`" in text
    assert "- Note: the journal is new" in text


def test_a_report_of_nothing_has_no_tables() -> None:
    text = report_markdown(a_report(apps=(), calls={}, notes=()))
    assert "|" not in text


def test_a_page_owns_up_to_rows_that_did_not_fit_and_closes_its_fold() -> None:
    page = Page(max_chars=1_500, command="appfleet plan")
    page.section("title", ["| a |", "|---|"], [f"| {number:050} |" for number in range(30)])
    text = page.text()
    assert len(text) <= 1_500
    left_out = re.search(r"_(\d+) more rows did not fit here; `appfleet plan` shows all of them._", text)
    assert left_out is not None
    assert text.count("| 0") == 30 - int(left_out[1])
    assert text.index(left_out[0]) < text.index("</details>")


def test_a_page_that_is_full_says_so_whatever_it_was_given() -> None:
    for page in (Page(max_chars=420), Page(max_chars=420), Page(max_chars=420)):
        page.add("x" * 200)
        page.section("title", ["head"], ["row" * 20] * 40)
        text = page.text()
        assert "<details>" not in text
        assert "_Not everything fitted here._" in text
        assert len(text) <= 420


def test_our_bound_is_below_the_one_of_a_comment() -> None:
    assert MARKDOWN_MAX_CHARS < COMMENT_MAX_CHARS


def test_a_hostile_report_makes_no_mention() -> None:
    apps = (AppResult(key_of(LAB)._replace(owner=HOSTILE), Action.CREATE, Outcome.FAILED),)
    assert "@" not in report_markdown(a_report(apps=apps, fleet=HOSTILE, run_id=HOSTILE, notes=(HOSTILE,)))


def test_a_line_without_a_label_belongs_to_the_one_before_it() -> None:
    assert bullets([("Account", "a"), ("", "and 20 more accounts")]) == ["- Account: a", "  - and 20 more accounts"]
