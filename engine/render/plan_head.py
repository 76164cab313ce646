"""The head of a plan for every format made for people, and the titles of its domains: where it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.core.identity import Lane
from engine.core.inputs import of_organization
from engine.core.limits import LANES_SHOWN_MAX_COUNT
from engine.core.plan import Plan, PlanLane
from engine.core.request import header_flags
from engine.core.text import clean, count_of

LABEL_CHARS: Final = 7  # of the longest label of the head
_DIGEST_SHOWN_CHARS: Final = len("sha256:") + 16  # the document has all of it


def header_lines(plan: Plan, *, unfold: bool = False) -> list[tuple[str, str]]:
    """Return the lines of the head as pairs of label and text, for every format; of many lanes a few."""
    shown = len(plan.lanes) if unfold else LANES_SHOWN_MAX_COUNT
    lines = [("Fleet", clean(plan.fleet)), *lane_lines(plan.lanes, shown)]
    if plan.organization:
        files = count_of(len(of_organization(plan.inputs)), "file")
        lines.append(("Policy", f"of the organization: {files}, {plan.organization[:_DIGEST_SHOWN_CHARS]}"))
    if plan.at:
        lines.append(("At", f"{clean(plan.at)}: what would be done then"))
    if plan.selectors:
        lines.append(("Only", ", ".join(f"--{clean(kind)} {clean(glob)}" for kind, glob in plan.selectors)))
    if flags := header_flags(plan.options):
        lines.append(("With", ", ".join(map(clean, flags))))
    return lines


def lane_lines(lanes: Sequence[PlanLane], shown: int = LANES_SHOWN_MAX_COUNT) -> list[tuple[str, str]]:
    """Return the lines of the head for so many lanes, foreign endpoints first, and how many more."""
    if len(lanes) <= shown:
        return [("Account", _lane_text(lane)) for lane in lanes]
    ordered = sorted(lanes, key=lambda lane: not lane.endpoint)
    foreign = sum(bool(lane.endpoint) for lane in ordered[shown:])
    theirs = f", {foreign:,} of them at an endpoint that is not AWS's own" if foreign else ""
    more = f"and {count_of(len(lanes) - shown, 'more account and region', 'more accounts and regions')}{theirs}"
    return [*(("Account", _lane_text(lane)) for lane in ordered[:shown]), ("", more)]


def places(plan: Plan) -> Callable[[str], str]:
    """Return what names the place of a domain: `111122223333, region eu-west-1`, or nothing where it is not known."""
    lanes = dict(plan.domain_lanes)
    return lambda domain: _place(lanes[domain]) if domain in lanes else ""


def _lane_text(lane: PlanLane) -> str:
    endpoint = f", endpoint {clean(lane.endpoint)}" if lane.endpoint else ""
    return f"{_place(Lane(lane.account, lane.region))}{endpoint}"


def _place(lane: Lane) -> str:
    return f"{clean(lane.account) or '(unknown)'}, region {clean(lane.region)}"
