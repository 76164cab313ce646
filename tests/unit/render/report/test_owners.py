"""User profiles and spaces in the page of a run and in the list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.identity import Owner
from engine.ports.history import OwnerRecord, PastRun, RunDetail, RunStory
from engine.render.history_text import history_json, history_text
from tests.unit.render.report.test_html import a_run, a_story, a_timeline, an_app, page_of

if TYPE_CHECKING:
    from engine.core.identity import OwnerKind


def an_owner(kind: OwnerKind, name: str, outcome: str = "created", *why: str) -> OwnerRecord:
    code, message, hint = why or ("", "", "")
    return OwnerRecord(Owner("research", kind, name), "create", outcome, 1, 2.0, "", code, message, hint, 5.0)


def test_profiles_and_spaces_are_counted_and_those_not_well_are_named_with_why() -> None:
    owners = (
        an_owner("user", "alice"),
        an_owner("space", "alice-lab"),
        an_owner("space", "bob-lab", "failed", "ValidationException", "<b>no</b>", "mend it"),
        an_owner("user", "eve", "of_another_version", "x", "y", "z"),
    )
    page = page_of(RunStory(RunDetail(a_run(), (), (), owners), a_timeline(), None))
    assert "Profiles and spaces" in page
    assert "<p>1 user profile and 1 space created</p>" in page
    assert "<code>research/space/bob-lab</code></td><td>failed</td><td>ValidationException</td>" in page
    assert "&lt;b&gt;no&lt;/b&gt;</td><td>mend it</td>" in page
    assert page.index("bob-lab") < page.index("research/user/eve")
    assert "<p>1 user profile of_another_version</p>" in page


def test_one_that_is_unchanged_since_an_app_runs_in_it_is_named_with_why() -> None:
    owners = (
        an_owner("space", "alice-lab", "updated"),
        an_owner("space", "bob-lab", "unchanged", "AF415", "not updated while an app runs in it", "The next run does"),
    )
    page = page_of(RunStory(RunDetail(a_run(), (), (), owners), a_timeline(), None))
    assert "<p>1 space updated</p>" in page
    assert "<code>research/space/bob-lab</code></td><td>unchanged</td><td>AF415</td>" in page
    assert "<code>research/space/alice-lab</code>" not in page


def test_without_owners_a_report_does_not_speak_of_them() -> None:
    assert "Profiles and spaces" not in page_of(a_story())


def test_owners_without_an_outcome_are_counted_as_calls_without_one() -> None:
    detail = RunDetail(a_run("", ended=None), (an_app(),), (), (), (Owner("research", "user", "alice"),))
    assert "1 calls were meant to be made" in page_of(RunStory(detail, a_timeline(), None))


def test_the_history_has_a_column_for_owners_once_a_run_has_some() -> None:
    none = PastRun(a_run(run_id="run-1"), 60.0, None, None, None)
    assert "Profiles" not in history_text((none,))
    some = PastRun(a_run(run_id="run-2", owners={"created": 80, "failed": 2}), 60.0, None, None, None)
    good = PastRun(a_run(run_id="run-3", owners={"created": 1, "updated": 3}), 60.0, None, None, None)
    lines = history_text((good, some, none)).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[:4]] == [
        "Profiles, spaces",
        "4, 3 updated",
        "82, 2 not well",
        "-",
    ]
    assert history_json((some,))["runs"][0]["owners"] == {"created": 80, "failed": 2}
