"""What the files say that is over by now, or soon will be: judged by the day, so a warning and never an error.

Pure. Not here: what is done about an app that expired (`core.planner`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from engine.config.reading.problems import Code
from engine.core.desired import DesiredApp, Mode, Source
from engine.core.diagnostics import Diagnostic, Severity
from engine.core.limits import EXPIRY_WARNED_DAYS
from engine.core.request import allowing
from engine.core.settings import Safety
from engine.core.text import count_of
from engine.policy.rules import RuleException


def date_warnings(
    apps: Sequence[DesiredApp], exceptions: Iterable[RuleException], safety: Safety, today: date
) -> tuple[Diagnostic, ...]:
    """Return a warning for each date that has passed, and for each future day on which too many apps expire."""
    return (*_past_apps(apps, today), *_past_exceptions(exceptions, today), *_crowded_days(apps, safety, today))


def _past_apps(apps: Sequence[DesiredApp], today: date) -> Iterator[Diagnostic]:
    counts: Counter[tuple[str, int, date]] = Counter()
    for app in apps:
        if app.expires is not None and app.is_expired(today) and app.mode is not Mode.ABSENT:
            source = _source(app)
            counts[source.file, source.line, app.expires] += 1
    for (file, line, day), count in sorted(counts.items()):
        who = count_of(count, "app is", "apps are")
        message = f"expires = {day} is in the past, so {who} no longer wanted"
        yield _warning(file, line, message, "Correct the day, or remove what is over")


def _past_exceptions(exceptions: Iterable[RuleException], today: date) -> Iterator[Diagnostic]:
    for one in exceptions:
        if today > one.expires:
            message = f"the exception to rule {one.rule} ended on {one.expires}, so the rule holds again"
            yield _warning(one.source.file, one.source.line, message, "Set a later day, or remove the exception")


def _crowded_days(apps: Sequence[DesiredApp], safety: Safety, today: date) -> Iterator[Diagnostic]:
    """Say days before that a guardrail will refuse the deletes of one day."""
    last = today + timedelta(days=EXPIRY_WARNED_DAYS)
    wanted = [app for app in apps if app.mode is not Mode.ABSENT and not app.is_expired(today)]
    soon: dict[date, list[DesiredApp]] = {}
    for app in wanted:
        if app.expires is not None and app.expires <= last:
            soon.setdefault(app.expires, []).append(app)
    for day, members in sorted(soon.items()):
        limit = _limit_passed(len(members), len(wanted), safety)
        if limit:
            source = _source(members[0])
            message = f"{len(members):,} apps expire on {day}, more than {limit}: the first run after it will be denied"
            hint = f"Spread the days, or add {allowing([f'*={len(members)}'])} to that run"
            yield _warning(source.file, source.line, message, hint)


def _limit_passed(count: int, wanted: int, safety: Safety) -> str:
    if count > safety.destroy_max:
        return f"the {safety.destroy_max:,} of [safety].destroy_max"
    if wanted >= max(safety.destroy_floor, 1) and count > safety.destroy_share_max * wanted:
        return f"the {safety.destroy_share_max:.0%} of [safety].destroy_share_max"
    return ""


def _warning(file: str, line: int, message: str, hint: str) -> Diagnostic:
    return Diagnostic(Code.DATE, file, line, "", message, hint, Severity.WARNING)


def _source(app: DesiredApp) -> Source:
    layer = next((layer for layer in reversed(app.layers) if "expires" in layer.values), None)
    return app.source if layer is None else layer.places.get("expires", layer.source)
