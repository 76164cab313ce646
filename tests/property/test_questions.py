"""What holds of planning in rounds for every fleet, every listing and every answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from engine.core.facts import Unknown
from engine.core.freeze import in_freeze
from engine.core.identity import Lane
from engine.core.ownership import UNREAD
from engine.core.planner import plan_fleet
from engine.core.questions import Purpose, questions_of
from engine.core.quota_fit import LaneQuotas
from engine.core.waves import in_wave, with_activity_reported
from tests.fleets import DOMAIN_NAMES, LANE
from tests.property.strategies import desired_fleets, observed_fleets, plan_options
from tests.unit.core.test_questions import FULL, NOBODYS, OURS, OWNERS, World, draft_of, seen, the_long_way

if TYPE_CHECKING:
    from engine.core.desired import DesiredFleet
    from engine.core.observed import ObservedFleet
    from engine.core.plan_options import PlanOptions

worlds = st.builds(
    World,
    whose=st.sampled_from((OURS, NOBODYS, UNREAD)),
    tagged=st.sampled_from(((), (), ("arn:aws:sagemaker:eu-west-1:1:space/d/x",), Unknown("no"))),
    quotas=st.sampled_from((LaneQuotas(), FULL)),
    owner=st.sampled_from((None, seen(OWNERS[0].owner), Unknown("no"))),
    auth_mode=st.sampled_from(("IAM", "SSO", "")),
)
purposes = st.builds(Purpose, running=st.booleans())
given_all = given(desired_fleets(), observed_fleets(), plan_options(), worlds, purposes)


@given_all
def test_the_questions_end_and_none_is_asked_twice(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions, world: World, purpose: Purpose
) -> None:
    """`World.play` sees to both. What nothing new concerned, and was kept, is what planning anew gives."""
    lanes = {"lab": Lane(LANE.account, "eu-central-1"), "research": LANE}
    asked = replace(options, domain_lanes=lanes, bucket_room={}, quotas=())
    purpose = replace(purpose, leaving=OWNERS[:1])
    made = world.play(draft_of(replace(desired, owners=OWNERS), observed, asked), purpose)
    anew = replace(made)
    assert vars(anew).keys() < vars(made).keys()
    assert anew.plan == made.plan
    assert questions_of(anew, purpose) == ()


@given_all
def test_every_fleet_asks_what_asking_by_hand_asks(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions, world: World, purpose: Purpose
) -> None:
    asked = replace(options, domain_lanes=dict.fromkeys(DOMAIN_NAMES, LANE), bucket_room={}, quotas=())
    by_hand = World(world.whose, world.tagged, world.quotas)
    the_long_way(desired, observed, asked, by_hand, running=purpose.running)
    made = world.play(draft_of(desired, observed, asked), purpose)
    assert world.asked == by_hand.asked
    refusal = f"{made.refusal}" if made.refusal else asked.prune_refusal
    fitted = replace(asked, prune_refusal=refusal, quotas=made.fit.lines, bucket_room=made.fit.one_more)
    by_itself = plan_fleet(desired, made.facts.observed, fitted)
    assert made.fitted == with_activity_reported(in_wave(in_freeze(by_itself, asked), asked), asked)
