"""What is alike told once: texts that differ in nothing but whose app they speak of.

A thousand apps that fail for one reason are one paragraph with a count, whatever name the service puts into its answer
for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.core.finding import LISTING, Finding
from engine.core.trouble import Trouble

PLACE: Final = "…"  # stands for the names in which texts differ
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_AS_ANOTHER: Final = re.compile(r" \(as [^ ()]*\)")
_OWN: Final = re.compile(rf"(?P<number>(?<=[A-Za-z0-9]):[0-9]+\b|\b[0-9,]+ apps?\b)|{_NAME.pattern}")
_ID: Final = re.compile(r"d-(?:-*[a-z0-9]){1,61}|[0-9]{12}")
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


def _parts(text: str, names: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return what stays of a text about one domain, and what is that domain's own between it."""
    stays, own, end = [], [], 0
    for found in _OWN.finditer(text):
        if found["number"] or found[0] in names or _ID.fullmatch(found[0]):
            stays.append(text[end : found.start()])
            own.append(found[0])
            end = found.end()
    return [*stays, text[end:]], own


def domain_shape(text: str, names: frozenset[str]) -> str:
    """Return a text about one domain with `…` for its name, id and account, for line numbers and counts of apps."""
    return PLACE.join(_parts(text, names)[0])


def common_to_domains(texts: Sequence[str], names: frozenset[str]) -> str:
    """Return the one text that texts of one such shape are: `…` stands only where they differ."""
    parts = [_parts(text, names) for text in texts]
    own = [said[0] if len(set(said)) == 1 else PLACE for said in zip(*(found for _, found in parts), strict=True)]
    return "".join(part for pair in zip(parts[0][0], [*own, ""], strict=True) for part in pair)


class TroubleGroup(NamedTuple):
    """Troubles that say the same, and the domains that they are about, none or one included."""

    code: str
    message: str
    hint: str
    domains: tuple[str, ...]


def grouped_troubles(troubles: Iterable[Trouble]) -> tuple[TroubleGroup, ...]:
    """Group troubles of whole domains that differ in nothing but what is each domain's own, in order."""
    members = list(troubles)
    names = frozenset(one.domain for one in members)
    groups: dict[tuple[str, ...], list[Trouble]] = {}
    for one in members:
        shapes = (domain_shape(text, names) if one.domain else text for text in (one.message, one.hint))
        groups.setdefault((one.code, *shapes), []).append(one)
    return tuple(
        TroubleGroup(
            code,
            common_to_domains([one.message for one in alike], names),
            common_to_domains([one.hint for one in alike], names),
            tuple(one.domain for one in alike if one.domain),
        )
        for (code, *_), alike in groups.items()
    )


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
    domains = frozenset(one.key for one in members if one.rule == LISTING)
    for one in members:
        shape = domain_shape(one.message, domains) if one.rule == LISTING else shape_of(one.message, names)
        groups.setdefault((one.enforcement, one.rule, one.source, shape), []).append(one)
    found = [
        FindingGroup(
            rule,
            enforcement,
            common_to_domains([one.message for one in alike], domains)
            if rule == LISTING
            else common_text([one.message for one in alike], names),
            source,
            tuple(one.key for one in alike if one.key),
        )
        for (enforcement, rule, source, _), alike in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: _severity(group.enforcement)))


def _severity(enforcement: str) -> int:
    return _ENFORCEMENTS.index(enforcement) if enforcement in _ENFORCEMENTS else len(_ENFORCEMENTS)
