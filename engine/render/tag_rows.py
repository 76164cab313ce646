"""The tags of what a plan makes, folded: tags that the same apps have are one row, and nobody reads them app by app."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from engine.core.change import MAKING, Change
from engine.core.desired import Tags
from engine.core.limits import TAG_ROWS_SHOWN_MAX_COUNT, TAG_VALUES_SHOWN_MAX_COUNT
from engine.core.text import clean, count_of
from engine.render.words import tags_text


def tag_rows(changes: Iterable[Change]) -> list[tuple[str, str]]:
    """Return pairs of `25 apps` and `team=vision, project=segmentation`, those of most apps first."""
    sets = Counter(change.after.spec.tags for change in changes if change.action in MAKING and change.after is not None)
    having: defaultdict[tuple[str, str], list[Tags]] = defaultdict(list)
    values: defaultdict[str, list[str]] = defaultdict(list)
    for tags in sets:
        for tag in tags:
            if tag not in having:
                values[tag[0]].append(tag[1])
            having[tag].append(tags)
    many = {key for key, found in values.items() if len(found) > TAG_VALUES_SHOWN_MAX_COUNT}
    together: defaultdict[tuple[Tags, ...], list[tuple[str, str]]] = defaultdict(list)
    for tag, its in having.items():
        if tag[0] not in many:
            together[tuple(its)].append(tag)
    counted = [(sum(sets[one] for one in its), tags_text(sorted(tags))) for its, tags in together.items()]
    counted += [
        (sum(count for tags, count in sets.items() if key in dict(tags)), _counted(key, values[key])) for key in many
    ]
    counted.sort(key=lambda row: (-row[0], row[1]))
    rows = [(count_of(apps, "app"), text) for apps, text in counted[:TAG_ROWS_SHOWN_MAX_COUNT]]
    rest = len(counted) - len(rows)
    return [*rows, ("and", f"{rest:,} more. --all shows the tags of each app")] if rest > 0 else rows


def _counted(key: str, values: list[str]) -> str:
    return f"{clean(key)}=({len(values):,} values, such as {clean(min(values))})"
