"""What is alike told once: texts that differ in nothing but whose app they speak of.

A thousand apps that fail for one reason are one paragraph with a count, whatever name the service puts into its answer
for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.core.finding import Finding

PLACE: Final = "…"  # stands for the names in which texts differ
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_AS_ANOTHER: Final = re.compile(r" \(as [^ ()]*\)")
_ENFORCEMENTS: Final = ("mandatory", "skip", "remediate", "advisory")


def owner_names(keys: Iterable[str]) -> frozenset[str]:
    """Return the names of the owners that keys such as `research/space/alice-lab/…` speak of."""
    parts = (key.split("/") for key in keys)
    return frozenset(part[2] for part in parts if len(part) > 2)


def shape_of(text: str, names: frozenset[str]) -> str:
    """Return `text` with `…` in the place of each of `names`, and without the app whose reason stands for others."""
    text = _AS_ANOTHER.sub("", text)
    return _NAME.sub(lambda found: PLACE if found[0] in names else found[0], text) if names else text


def common_text(texts: Sequence[str], names: frozenset[str]) -> str:
    """Return the one text that texts of one shape are: word for word, or with `…` where they differ."""
    return texts[0] if len(set(texts)) == 1 else shape_of(texts[0], names)


class FindingGroup(NamedTuple):
    """Findings that say the same. `keys` are the apps or owners that they are about, in order."""

    rule: str
    enforcement: str
    message: str
    source: str
    keys: tuple[str, ...]


def grouped_findings(findings: Iterable[Finding]) -> tuple[FindingGroup, ...]:
    """Group findings that differ in nothing but their key; what stops the run comes first."""
    members = list(findings)
    names = owner_names(finding.key for finding in members)
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for one in members:
        groups.setdefault((one.enforcement, one.rule, one.source, shape_of(one.message, names)), []).append(one)
    found = [
        FindingGroup(
            rule,
            enforcement,
            common_text([one.message for one in alike], names),
            source,
            tuple(one.key for one in alike if one.key),
        )
        for (enforcement, rule, source, _), alike in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: _severity(group.enforcement)))


def _severity(enforcement: str) -> int:
    return _ENFORCEMENTS.index(enforcement) if enforcement in _ENFORCEMENTS else len(_ENFORCEMENTS)
