"""What the result of a run says beside its apps, as the journal keeps it for the report.

Outcomes of apps that were worked on are in the journal already; here are the counts of all, the troubles of the run
itself, the findings, and the apps that were left as they are for a reason. Every text is cleaned and every list
bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from engine.core.change import Action
from engine.core.hours_of_run import RunHours
from engine.core.identity import AppKey
from engine.core.limits import (
    WORDS_ERRORS_MAX_COUNT,
    WORDS_FINDINGS_MAX_COUNT,
    WORDS_KEPT_APPS_MAX_COUNT,
    WORDS_NOTES_MAX_COUNT,
    WORDS_RESERVED_APPS_MAX_COUNT,
)
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.text import clean
from engine.core.trouble import Trouble


def run_words(
    report: ApplyReport,
    *,
    price: Callable[[str, str, str], float | None],
    asked: Iterable[tuple[str, str]],
    reserved: Mapping[AppKey, str],
    hours: Iterable[RunHours] = (),
) -> dict[str, Any]:
    """Return the words of a run as JSON.

    `price` gives USD per hour for a domain, an app type and an instance type, or None where that is not known; `asked`
    are the options that decide what the run was about, name and value. `reserved` names the bucket of each app that is
    on a training plan. `hours` is what was done because of hours.
    """
    return {
        "seconds": round(report.seconds, 3),
        "summary": {outcome.value: count for outcome, count in report.summary.items()},
        "calls": {clean(name): dict(kinds) for name, kinds in report.calls.items()},
        "errors": [_trouble(error) for error in report.errors[:WORDS_ERRORS_MAX_COUNT]],
        "notes": [clean(note) for note in report.notes[:WORDS_NOTES_MAX_COUNT]],
        "findings": [
            [clean(part) for part in (one.rule, one.enforcement, one.key, one.message, one.source)]
            for one in report.findings[:WORDS_FINDINGS_MAX_COUNT]
        ],
        "kept": _kept(report.apps),
        "prices": _prices(report.apps, price),
        "asked": [[clean(name), clean(value)] for name, value in asked],
        "reserved": _reserved(report.apps, reserved),
        **({} if report.forecast is None else {"forecast": report.forecast.to_json()}),
        **({"hours": kept} if (kept := [one.to_json() for one in hours]) else {}),
    }


def _reserved(apps: Iterable[AppResult], reserved: Mapping[AppKey, str]) -> dict[str, list[str]]:
    """Return the apps that were worked on and wait for a training plan's instances, by its bucket."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    worked_on = (app.key for app in apps if app.key in reserved and app.action is not Action.NONE)
    for key in islice(worked_on, WORDS_RESERVED_APPS_MAX_COUNT):
        found[clean(reserved[key])].append(clean(str(key)))
    return dict(found)


def _kept(apps: Iterable[AppResult]) -> list[dict[str, Any]]:
    """Group what nothing was called for and is not as declared by why: a domain that is away is one entry."""
    grouped: dict[tuple[Outcome, Trouble | None], list[str]] = {}
    left = WORDS_KEPT_APPS_MAX_COUNT
    for app in apps:
        if app.action is not Action.NONE and app.outcome is not Outcome.DENIED:
            continue  # the ledger has put it into the journal
        if app.outcome is Outcome.UNCHANGED or app.attempts or not left:
            continue
        grouped.setdefault((app.outcome, app.error), []).append(clean(str(app.key)))
        left -= 1
    return [
        {"outcome": outcome.value, "error": _trouble(error), "keys": keys} for (outcome, error), keys in grouped.items()
    ]


def _prices(apps: Iterable[AppResult], price: Callable[[str, str, str], float | None]) -> Mapping[str, float]:
    kinds = sorted({(app.key.domain, app.key.app_type, app.instance_type) for app in apps})
    found = {"/".join(kind): price(*kind) for kind in kinds}
    return {clean(kind): usd for kind, usd in found.items() if usd is not None}


def _trouble(error: Trouble | None) -> list[str]:
    return ["", "", ""] if error is None else [clean(error.code), clean(error.message), clean(error.hint)]
