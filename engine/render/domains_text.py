"""Plans and results of many domains: one line of counts for each domain, those with equal counts together.

Nobody reads a page about each of a thousand domains. What may be lost (deletes, replaces) and what did not end well
comes first, and the lines are bounded: what does not fit is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from engine.core.change import Action, Change
from engine.core.grouping import TroubleGroup
from engine.core.limits import DOMAINS_OPEN_MAX_COUNT, DOMAINS_SHOWN_MAX_COUNT
from engine.core.outcome import GOOD_OUTCOMES, ApplyReport, Outcome
from engine.core.text import clean, count_of, listed
from engine.render.words import OUTCOMES

Kind = TypeVar("Kind", bound=Hashable)

_CHANGES: Final[Mapping[Action, str]] = {  # the gravest first
    Action.DELETE: "to delete",
    Action.DELETE_THEN_CREATE: "to replace",
    Action.CREATE: "to create",
    Action.ADOPT: "to adopt",
}
_UNWELL: Final[Mapping[Outcome, str]] = {
    outcome: OUTCOMES[outcome]
    for outcome in (
        Outcome.FAILED,
        Outcome.PARKED,
        Outcome.STILL_PENDING,
        Outcome.SKIPPED,
        Outcome.DENIED,
        Outcome.INTERRUPTED,
    )
}


class DomainLine(NamedTuple):
    """Domains with equal counts: one by its name or how many, the counts of each, and some names of several."""

    who: str
    counts: str
    names: str = ""


def planned_domains(changes: Iterable[Change]) -> list[DomainLine]:
    """Return the lines of a plan's domains; none where there are so few that each is shown whole."""
    counted: defaultdict[str, Counter[Action]] = defaultdict(Counter)
    for change in changes:
        counted[change.key.domain][change.action] += 1
    return _lines(counted, _CHANGES) if len(counted) > DOMAINS_OPEN_MAX_COUNT else []


def unwell_domains(report: ApplyReport) -> tuple[str, list[DomainLine]]:
    """Return how many domains ended well, and the lines of the others; nothing for a result of few domains."""
    domains: set[str] = set()
    counted: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
    for app in report.apps:
        domains.add(app.key.domain)
        if app.outcome not in GOOD_OUTCOMES:
            counted[app.key.domain][app.outcome] += 1
    if len(domains) <= DOMAINS_OPEN_MAX_COUNT:
        return "", []
    well = len(domains) - len(counted)
    return f"{well:,} of {count_of(len(domains), 'domain')} ended well", _lines(counted, _UNWELL)


def trouble_words(group: TroubleGroup) -> str:
    """Return what is wrong with one domain or with the run, or with how many domains alike and with which."""
    if len(group.domains) <= 1:
        return clean(group.message)
    return f"{count_of(len(group.domains), 'domain')} ({listed(group.domains)}), each: {clean(group.message)}"


def _lines(counted: Mapping[str, Counter[Kind]], words: Mapping[Kind, str]) -> list[DomainLine]:
    alike: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for domain, counts in sorted(counted.items()):
        alike[tuple(counts[kind] for kind in words)].append(domain)
    ordered = sorted(alike.items(), key=lambda item: (tuple(-count for count in item[0]), item[1]))
    lines = [_line(names, numbers, tuple(words.values())) for numbers, names in ordered[:DOMAINS_SHOWN_MAX_COUNT]]
    if rest := ordered[DOMAINS_SHOWN_MAX_COUNT:]:
        domains = sum(len(names) for _, names in rest)
        total = [sum(numbers[place] * len(names) for numbers, names in rest) for place in range(len(words))]
        lines.append(DomainLine(count_of(domains, "more domain"), f"{_said(total, tuple(words.values()))} together"))
    return lines


def _line(names: Sequence[str], numbers: Sequence[int], words: Sequence[str]) -> DomainLine:
    if len(names) == 1:
        return DomainLine(clean(names[0]), _said(numbers, words))
    return DomainLine(count_of(len(names), "domain"), f"{_said(numbers, words)} each", listed(names))


def _said(numbers: Sequence[int], words: Sequence[str]) -> str:
    return ", ".join(f"{number:,} {word}" for number, word in zip(numbers, words, strict=True) if number)
