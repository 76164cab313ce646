"""The end of a run in the few lines that a phone shows whole: what happened, to which fleet, and where to read on."""

from __future__ import annotations

from typing import Final

from engine.core.limits import NOTICE_TEXT_MAX_CHARS, NOTICE_TITLE_MAX_CHARS
from engine.core.outcome import GOOD_OUTCOMES, ApplyReport
from engine.core.text import clean, count_of
from engine.render.layout import duration

UNKNOWN_FLEET: Final = "unknown fleet"
SIMULATED: Final = "[simulation] "
_MESSAGE_MAX_CHARS: Final = 220  # of the reason, so that there is room for what to do


def notice_title(report: ApplyReport, *, is_simulated: bool) -> str:
    """Return one line: the fleet, the result, and how many apps did not end well."""
    unwell = sum(count for outcome, count in report.summary.items() if outcome not in GOOD_OUTCOMES)
    ending = f": {unwell:,} of {count_of(report.apps_count, 'app')} not as declared" if unwell else ""
    said = f": {report.result.value}{ending}"
    head = f"{SIMULATED if is_simulated else ''}appfleet "
    room = NOTICE_TITLE_MAX_CHARS - len(head) - len(said)
    return f"{head}{clean(report.fleet or UNKNOWN_FLEET, max(room, 1))}{said}"


def notice_text(report: ApplyReport) -> str:
    """Return the reason and what to do, or the counts of a run that ended well; then where to read on, never cut."""
    error = report.error
    if error is None:
        lines = [_counts(report)]
    else:
        message = _cut(error.message, _MESSAGE_MAX_CHARS)
        lines = [message, _cut(error.hint, NOTICE_TEXT_MAX_CHARS - len(message) - 1)]
    where = report.links.get("page") or report.links.get("report")
    lines.append(f"Report: {clean(where)}" if where else f"appfleet report {clean(report.run_id)}")
    return "\n".join(line for line in lines if line)


def _cut(text: str, max_chars: int) -> str:
    return clean(clean(text), max_chars)  # what is unsafe takes more characters when it is written out


def _counts(report: ApplyReport) -> str:
    counts = [f"{count:,} {outcome.value.replace('_', ' ')}" for outcome, count in report.summary.items()]
    return f"{', '.join(counts) or 'nothing to do'} in {duration(report.seconds)}"
