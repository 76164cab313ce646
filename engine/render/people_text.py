"""One line a person: what each one of a team has after a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from engine.core.change import Reason
from engine.core.identity import SPACE, Owner
from engine.core.outcome import ApplyReport, AppResult
from engine.core.text import clean
from engine.render.words import OUTCOMES


def people_text(report: ApplyReport, members: Sequence[str], owners: Mapping[Owner, str]) -> str:
    """Return a line for each of `members`, in their order, ending in a line break; `owners` tells whose an owner is."""
    had: defaultdict[str, list[str]] = defaultdict(list)
    for app in report.apps:
        member = owners.get(app.key.owner_key)
        if member is not None:
            had[member].append(_app(app))
    width = max(map(len, members), default=0)
    return "".join(f"{clean(name):<{width}}  {'; '.join(had[name]) or 'no apps'}\n" for name in members)


def _app(app: AppResult) -> str:
    key = app.key
    where = f" in space {key.owner}" if key.owner_kind == SPACE else ""
    machine = f" on {app.instance_type}" if app.instance_type else ""
    why = f" ({app.error.code})" if app.error is not None else ""
    ended = f"{OUTCOMES[app.outcome]}{why}"
    if app.error is not None and app.error.code == Reason.OUTSIDE_HOURS:
        ended = app.error.message  # it is not there, and is not made now
    return clean(f"{key.app_type} {key.app_name}{where}{machine}: {ended}")
