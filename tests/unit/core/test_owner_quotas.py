"""What a plan wants of the account's quotas of user profiles and spaces, beside what is in use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, USER, Lane, Owner, OwnerKind
from engine.core.observed import ObservedOwner
from engine.core.owner_quotas import OWNER_QUOTAS, OwnerRoom, owner_lines, wanted_owners
from engine.core.plan import Fits, Plan
from engine.core.quota_fit import QuotaValue
from tests.fleets import LANE, SOURCE

FAR = Lane(LANE.account, "eu-central-1")
LANES = {"research": LANE, "lab": LANE, "far": FAR}


def made(
    domain: str, kind: OwnerKind, name: str, action: Action = Action.CREATE, *, going: bool = False
) -> OwnerChange:
    owner = Owner(domain, kind, name)
    row = ObservedOwner(owner, "Deleting", 1.0) if going else None
    reason = OwnerReason.DELETING if going else OwnerReason.ABSENT
    return OwnerChange(owner, action, reason, row, DesiredOwner(owner, SOURCE))


def plan_with(*owners: OwnerChange) -> Plan:
    return Plan("f", "2026-01-01T00:00:00Z", (), owners=owners)


THREE = plan_with(
    made("research", USER, "a"),
    made("lab", USER, "b"),
    made("far", SPACE, "c"),
    made("research", SPACE, "d", Action.DELETE),
    made("research", SPACE, "e", Action.NONE),
    made("unreached", SPACE, "f"),
)


def test_what_is_made_is_counted_by_account_and_region_whatever_the_domain() -> None:
    assert wanted_owners(THREE, LANES) == {(LANE, USER): 2, (FAR, SPACE): 1}


def test_each_kind_that_is_made_has_a_line_for_each_account_and_region() -> None:
    room = OwnerRoom({USER: QuotaValue("L-9", 10)}, {USER: 8})
    lines = owner_lines(THREE, LANES, {LANE: room})
    assert [(line.bucket, line.quota, line.value, line.used, line.wanted, line.fits, line.code) for line in lines] == [
        (f"{FAR}/spaces", OWNER_QUOTAS[SPACE], None, None, 1, Fits.UNKNOWN, ""),
        (f"{LANE}/user profiles", OWNER_QUOTAS[USER], 10, 8, 2, Fits.YES, "L-9"),
    ]


@pytest.mark.parametrize(
    ("value", "used", "fits"),
    [(3, 2, Fits.NO), (3, 1, Fits.YES), (3, None, Fits.UNKNOWN), (1, None, Fits.NO), (None, None, Fits.UNKNOWN)],
)
def test_what_is_not_known_is_never_room_and_blocks_nothing(value: int | None, used: int | None, fits: Fits) -> None:
    values: dict[OwnerKind, QuotaValue] = {} if value is None else {USER: QuotaValue("L-9", value)}
    (line,) = owner_lines(
        plan_with(made("research", USER, "a"), made("lab", USER, "b")),
        LANES,
        {LANE: OwnerRoom(values, {} if used is None else {USER: used})},
    )
    assert (line.value, line.used, line.fits) == (value, used, fits)


def test_what_is_being_deleted_and_made_again_leaves_its_own_place() -> None:
    room = {LANE: OwnerRoom({USER: QuotaValue("L-9", 5)}, {USER: 5})}
    again = plan_with(made("research", USER, "a", going=True))
    assert [line.fits for line in owner_lines(again, LANES, room)] == [Fits.YES]
    one_more = replace(again, owners=(*again.owners, made("research", USER, "b")))
    assert [line.fits for line in owner_lines(one_more, LANES, room)] == [Fits.NO]
