"""Reports and histories of runs whose clock was set while they worked: times are bounded, and so is the page."""

from __future__ import annotations

import pytest

from engine.core.limits import RUN_SHOWN_MAX_SECONDS, TIMELINE_SLOTS_MAX_COUNT
from engine.ports.history import CallSlots, RunTimeline
from engine.render.report.charts import calls_chart
from tests.unit.render.report.test_html import a_run, a_story, a_timeline, page_of

THIRTY_YEARS_S = 30 * 365 * 86_400.0
PAGE_MAX_CHARS = 400_000
CALLS = CallSlots(1.0, {"CreateApp": {"ok": (1, 2)}}, {"writes": (2.0,)})


@pytest.mark.parametrize("step_s", [THIRTY_YEARS_S, -THIRTY_YEARS_S])
def test_a_killed_run_whose_clock_stepped_by_years_has_a_page_of_its_usual_size(step_s: float) -> None:
    run = a_run("", ended=None, exit_code=None, alive_at=110.0 + step_s)
    page = page_of(a_story(run=run, timeline=a_timeline(words=None, calls=CALLS)))
    assert len(page) < PAGE_MAX_CHARS
    assert ("after 36" in page) is (step_s > 0), "as long as its timeline shows, and a little longer"


def test_a_killed_run_without_a_timeline_is_shown_no_longer_than_any_deadline_allows() -> None:
    run = a_run("", ended=None, exit_code=None, alive_at=110.0 + THIRTY_YEARS_S)
    page = page_of(a_story(run=run, timeline=RunTimeline()))
    assert RUN_SHOWN_MAX_SECONDS == 8 * 86_400.0
    assert "8 d" in page or "192 h" in page


def test_a_chart_of_calls_has_no_more_slots_than_a_timeline_keeps() -> None:
    chart = calls_chart(CALLS, THIRTY_YEARS_S, reads=False)
    assert chart is not None
    assert max(layer.path.count("V") + layer.path.count("v") for layer in chart.layers) <= 4 * TIMELINE_SLOTS_MAX_COUNT
