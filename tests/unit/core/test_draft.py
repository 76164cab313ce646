"""What a draft says is still to be looked at: the owners to describe, and those of which nobody read whose they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.desired import DesiredOwner
from engine.core.draft import Draft
from engine.core.facts import Facts, Unknown
from engine.core.identity import SPACE, USER, Lane, Owner
from engine.core.limits import OWNERS_COMPARED_MAX_COUNT, OWNERS_COMPARED_MAX_SECONDS
from engine.core.observed import AppStatus, ObservedOwner, Ownership
from engine.core.questions import AreAs, ManagedBy, Purpose, questions_of
from engine.core.settings import Execution
from tests.fleets import CANVAS, LAB, SOURCE, TODAY, a_fleet, a_row, an_app, observe, options

if TYPE_CHECKING:
    from collections.abc import Iterable

ALICE, SPACE_A = Owner("research", USER, "alice"), Owner("research", SPACE, "alice-lab")
ROLE, OTHER_ROLE = "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"
RUNS = Purpose(running=True)
IDLE_90 = {"JupyterLabAppSettings": {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 90}}}}
OTHER_TYPE = {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}


def profile(name: str, **more: Any) -> DesiredOwner:
    return DesiredOwner(Owner("research", USER, name), SOURCE, execution_role=ROLE, **more)


def seen(owner: Owner, **more: Any) -> ObservedOwner:
    return ObservedOwner(owner, more.pop("status", "InService"), 1_000.0, **more)


def listed(owners: Iterable[Owner]) -> Facts:
    return Facts(owners={owner: seen(owner) for owner in owners})


def draft_of_profiles(count: int, **more: Any) -> Draft:
    """Return the draft of a fleet that makes an app for each of `count` people, each with a role to compare."""
    names = [f"u{number:03}" for number in range(count)]
    apps = (an_app(f"research/user/{name}/Canvas/default", None) for name in names)
    fleet = replace(a_fleet(*apps), owners=tuple(map(profile, names)))
    draft = Draft(fleet, Facts(observe()), options(), **more)
    return draft.knowing(listed(draft.needed))


FEW = int(Execution().read_rate * OWNERS_COMPARED_MAX_SECONDS)


def test_few_owners_that_creates_need_are_all_compared() -> None:
    draft = draft_of_profiles(FEW)
    assert questions_of(draft, RUNS)[0] == AreAs(draft.needed)
    assert draft.uncompared == draft.needed, "so far"


def test_of_many_owners_that_creates_need_a_few_are_compared_and_others_the_next_day() -> None:
    """One Describe each would hold the first create back for 40 s; the look of a day compares them all."""
    draft = draft_of_profiles(200)
    days = [replace(draft, asked=replace(draft.asked, today=TODAY + timedelta(days=day))) for day in range(3)]
    parts = [one.undescribed for one in days]
    assert [len(part) for part in parts] == [FEW] * 3
    assert questions_of(days[0], RUNS)[0] == AreAs(parts[0])
    assert len(set(parts)) == len(parts)
    settled = draft.knowing(Facts(owners={owner: seen(owner, settings={}) for owner in draft.undescribed}))
    assert settled.undescribed == (), "what was compared makes no place for others"
    assert len(settled.uncompared) == 200 - FEW


def test_those_of_each_lane_have_its_time_and_all_lanes_together_a_bound() -> None:
    names = [f"u{number:03}" for number in range(30)]
    domains = [f"d{number:02}" for number in range(4 * OWNERS_COMPARED_MAX_COUNT // FEW)]
    owners = [
        DesiredOwner(Owner(domain, USER, name), SOURCE, execution_role=ROLE) for domain in domains for name in names
    ]
    apps = (an_app(f"{one.owner.domain}/user/{one.owner.name}/Canvas/default", None) for one in owners)
    fleet = replace(a_fleet(*apps, domains=domains), owners=tuple(owners))
    lanes = {domain: Lane(f"{number // 2:012}", "eu-west-1") for number, domain in enumerate(domains)}
    draft = Draft(fleet, Facts(observe(domains=domains)), options(domain_lanes=lanes))
    draft = draft.knowing(listed(draft.needed))
    taken = Counter(lanes[owner.domain] for owner in draft.undescribed)
    assert taken.total() == OWNERS_COMPARED_MAX_COUNT
    assert max(taken.values()) <= FEW
    assert len(taken) > OWNERS_COMPARED_MAX_COUNT // FEW, "not the first ones alone"


def test_a_space_whose_app_is_made_otherwise_than_the_last_one_is_compared_whatever_the_time() -> None:
    """Its default is what that one was made with: it has to follow before the app is made."""
    names = [f"s{number:03}" for number in range(60)]
    spaces = [DesiredOwner(Owner("research", SPACE, name), SOURCE, app_type="JupyterLab") for name in names]
    keys = [f"research/space/{name}/JupyterLab/default" for name in names]
    fleet = replace(a_fleet(*(an_app(key, "ml.m5.large") for key in keys)), owners=tuple(spaces))
    before = [a_row(key, AppStatus.DELETED) for key in keys[:40]]
    before += [a_row(key, AppStatus.DELETED, "ml.m5.large") for key in keys[40:50]]
    draft = Draft(fleet, Facts(observe(*before)), options())
    draft = draft.knowing(listed(draft.needed))
    assert [owner.name for owner in draft.undescribed] == names[:40], "they take the time of the others as well"


def test_where_a_policy_updates_every_owner_that_creates_need_is_compared() -> None:
    draft = draft_of_profiles(OWNERS_COMPARED_MAX_COUNT + 1, updates_owners=True)
    assert draft.undescribed == draft.needed
    assert draft.uncompared == ()


def differing(**more: Any) -> Draft:
    """Return a draft in which the role of the one profile is not as declared."""
    row = seen(ALICE, **{"settings": {"ExecutionRole": OTHER_ROLE}, **more})
    fleet = replace(a_fleet(), owners=(profile("alice"),))
    draft = Draft(fleet, Facts(observe()), options(), updates_owners=True, watched=frozenset({ALICE}))
    return draft.knowing(Facts(owners={ALICE: row}))


def test_whose_an_owner_is_is_asked_before_it_is_updated() -> None:
    assert questions_of(differing(), RUNS) == (ManagedBy((ALICE,)),)
    known = differing(ownership=Ownership.OURS)
    assert questions_of(known, RUNS) == ()
    assert [change.owner for change in known.plan.owners] == [ALICE]


@pytest.mark.parametrize(
    "more",
    [
        {"ownership": Ownership.NOBODY},
        {"ownership": Ownership.FOREIGN, "managed_by": "others"},
        {"unread_because": "ListTags is not allowed"},
        {"settings": {"ExecutionRole": ROLE}},
    ],
)
def test_nobody_asks_again_whose_an_owner_is_nor_where_nothing_would_be_updated(more: dict[str, Any]) -> None:
    draft = differing(**more)
    assert (draft.unclaimed, questions_of(draft, RUNS)) == ((), ())


def needing(settings: dict[str, Any], **declared: Any) -> Draft:
    """Return a draft that makes an app in a space that is set this way, where no policy updates."""
    space = DesiredOwner(SPACE_A, SOURCE, owner_user="alice", app_type="JupyterLab", **declared)
    draft = Draft(replace(a_fleet(an_app(LAB)), owners=(space,)), Facts(observe()), options())
    return draft.knowing(Facts(owners={SPACE_A: seen(SPACE_A, settings=settings)}))


def test_without_a_policy_that_updates_it_is_asked_only_of_a_space_whose_default_somebody_changed() -> None:
    """That default is set before the app is made, where the space is ours; all else is reported, whosever it is."""
    assert needing(OTHER_TYPE).unclaimed == (SPACE_A,)
    assert needing(IDLE_90, idle_minutes=60).unclaimed == ()


def moving(owner: ObservedOwner | Unknown | None, **more: Any) -> Draft:
    draft = Draft(a_fleet(), Facts(observe()), options(**more), watched=frozenset({ALICE}))
    return draft.knowing(Facts(owners={ALICE: owner}))


def test_when_apps_move_from_another_fleet_it_is_asked_whose_every_owner_is() -> None:
    assert moving(seen(ALICE), from_fleet="old").unclaimed == (ALICE,)
    assert moving(seen(ALICE)).unclaimed == (), "otherwise nothing depends on it"
    for owner in (
        None,
        Unknown("no"),
        seen(ALICE, ownership=Ownership.FOREIGN, managed_by="old"),
        seen(ALICE, status="Deleting"),
        seen(ALICE, unread_because="no"),
    ):
        assert moving(owner, from_fleet="old").unclaimed == ()


def owing(row: ObservedOwner | None) -> Draft:
    fleet = replace(a_fleet(an_app(CANVAS, None)), owners=(profile("alice"),))
    whom = frozenset({ALICE})
    draft = Draft(fleet, Facts(observe()), options(), assigns_users=True, watched=whom, unassigned=whom)
    return draft.knowing(Facts(owners={ALICE: row}))


def test_whose_a_profile_is_is_asked_before_its_user_is_assigned_after_all() -> None:
    draft = owing(seen(ALICE, settings={"ExecutionRole": ROLE}, sso_identity="a@x"))
    assert questions_of(draft, RUNS)[-1] == ManagedBy((ALICE,))
    assert draft.not_to_assign == ()


@pytest.mark.parametrize(
    ("row", "dropped"),
    [
        (None, True),
        (seen(ALICE, ownership=Ownership.NOBODY), True),
        (seen(ALICE, ownership=Ownership.FOREIGN), True),
        (seen(ALICE, ownership=Ownership.OURS), False),
        (seen(ALICE), False),
    ],
)
def test_a_user_whose_profile_is_gone_or_not_ours_is_not_to_be_assigned_any_more(
    row: ObservedOwner | None, *, dropped: bool
) -> None:
    assert owing(row).not_to_assign == ((ALICE,) if dropped else ())
