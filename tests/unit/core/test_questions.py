"""What a plan asks, round by round, and what it does not ask: over the planner's cases, and each promise by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.application import Application, Why
from engine.core.change import Action, Reason
from engine.core.desired import DesiredFleet, DesiredOwner, Mode
from engine.core.draft import Draft
from engine.core.errors import AccessDenied
from engine.core.facts import Facts, Unknown
from engine.core.identity import SPACE, USER, Lane, Owner, folded_owner
from engine.core.limits import PLAN_ROUNDS_MAX_COUNT
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_quotas import OWNER_QUOTAS, OwnerRoom
from engine.core.ownership import UNREAD, Whose, WhoseAre
from engine.core.plan import Fits
from engine.core.planner import join, needs_ownership, plan_fleet
from engine.core.questions import (
    ApplicationOf,
    AreAs,
    AreThere,
    CarriesFleetTag,
    ManagedBy,
    OwnersRoomIn,
    PlansAre,
    Purpose,
    Question,
    ResidentsOf,
    RoomIn,
    SignsIn,
    questions_of,
)
from engine.core.quota_fit import RUNNING_APPS, LaneQuotas, QuotaValue, wanted_buckets
from engine.core.quota_text import quota_name
from engine.core.request import Request
from engine.core.reserved import TrainingPlan
from engine.core.settings import Safety
from tests.fleets import CANVAS, LAB, LANE, SOURCE, a_fleet, a_row, an_app, key_of, observe, options
from tests.unit.core.test_plan_cases import CASES, read_case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.core.observed import ObservedFleet
    from engine.core.plan_options import PlanOptions

NOT_KNOWN = "Which fleet owns the apps that this one does not declare is not known"
RUNS, READ = Purpose(running=True), Purpose()
ALICE, LABS = Owner("research", USER, "alice"), Owner("research", SPACE, "alice-lab")
OWNERS = (DesiredOwner(ALICE, SOURCE), DesiredOwner(LABS, SOURCE, owner_user="alice"))
OURS, NOBODYS = Whose(Ownership.OURS, "ml-platform"), Whose(Ownership.NOBODY)
NO_QUOTAS = LaneQuotas()
APPLICATION = Application("eu-west-1", "arn:aws:sso::111122223333:application/ssoins-1/apl-1", "d-1234567890")
MEDIUM_LABS = quota_name("JupyterLab", "ml.t3.medium")
FULL = LaneQuotas({MEDIUM_LABS: QuotaValue("L-1", 0)}, sees_all=True)


def seen(owner: Owner, **more: Any) -> ObservedOwner:
    return ObservedOwner(owner, "InService", 1_000.0, **more)


class World:
    """Answers every question, and notes it."""

    def __init__(
        self,
        whose: Whose = OURS,
        tagged: tuple[str, ...] | Unknown = (),
        quotas: LaneQuotas = NO_QUOTAS,
        owner: ObservedOwner | Unknown | None = None,
        auth_mode: str = "IAM",
        application: Application = APPLICATION,
    ) -> None:
        self.whose, self.tagged, self.quotas, self.owner, self.auth_mode = whose, tagged, quotas, owner, auth_mode
        self.application = application
        self.room = OwnerRoom()
        self.training_plan: TrainingPlan | Unknown | None = None
        self.asked: list[Question] = []

    def answer(self, question: Question) -> Facts:  # noqa: PLR0911 - one case a question
        self.asked.append(question)
        match question:
            case WhoseAre(decisive, telling, claimed):
                return Facts(ownership=dict.fromkeys((*decisive, *telling, *claimed), self.whose))
            case CarriesFleetTag():
                return Facts(tagged={question.lane: self.tagged})
            case PlansAre(_, _, arns):
                return Facts(training_plans=dict.fromkeys(arns, self.training_plan))
            case RoomIn() | OwnersRoomIn():
                return self._room(question)
            case AreThere(owners):
                return Facts(owners=dict.fromkeys(owners, self.owner))
            case AreAs() | ManagedBy():
                raise AssertionError("no owner of these tests is compared")
            case SignsIn(domain):
                return Facts(auth_modes={domain: self.auth_mode})
            case ApplicationOf(domain):
                return Facts(applications={domain: self.application})
            case ResidentsOf(domain, leaving):
                return Facts(residents={domain: {folded_owner(one): seen(one) for one in leaving}})

    def _room(self, question: RoomIn | OwnersRoomIn) -> Facts:
        if isinstance(question, RoomIn):
            return Facts(quotas={question.lane: self.quotas})
        return Facts(owner_rooms={question.lane: self.room})

    def play(self, draft: Draft, purpose: Purpose = RUNS) -> Draft:
        """Plan in rounds, as the loop does."""
        for _ in range(PLAN_ROUNDS_MAX_COUNT):
            questions = questions_of(draft, purpose)
            if not questions:
                assert len(self.asked) == len(set(self.asked)), "nothing is asked twice"
                return draft
            for question in questions:
                draft = draft.knowing(self.answer(question))
        raise AssertionError(f"questions are left after {self.asked}")


def draft_of(
    fleet: DesiredFleet, observed: ObservedFleet, asked: PlanOptions | None = None, *, creates: bool = True, **more: Any
) -> Draft:
    return Draft(fleet, Facts(observed), asked or options(), creates_owners=creates, **more)


def the_long_way(
    fleet: DesiredFleet, observed: ObservedFleet, asked: PlanOptions, world: World, *, running: bool
) -> None:
    """Ask by hand what is asked about apps, one after the other, planning anew after each answer."""
    facts = Facts(observed)
    if decisive := needs_ownership(join(fleet, observed, asked.selectors), asked).decisive:
        facts |= world.answer(WhoseAre(decisive))
    made = plan_fleet(fleet, facts.observed, asked)
    if made.changes or not running:
        needed = needs_ownership(join(fleet, facts.observed, asked.selectors), asked)
        claimed = () if running else needed.claimed
        if needed.telling or claimed:
            facts |= world.answer(WhoseAre((), needed.telling, claimed))
    made = plan_fleet(fleet, facts.observed, asked)
    if pruned := tuple(change.key for change in made.changes if change.reason is Reason.NOT_DECLARED):
        facts |= world.answer(CarriesFleetTag(LANE, pruned))
    if refusal := facts.refusal(fleet.name):
        made = plan_fleet(fleet, facts.observed, replace(asked, prune_refusal=str(refusal)))
    if not made.denied and wanted_buckets(made, asked.domain_lanes):
        world.answer(RoomIn(LANE, next(iter(asked.domain_lanes))))


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("whose", [OURS, NOBODYS, UNREAD], ids=["ours", "nobodys", "unread"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_over_the_planners_cases_it_asks_what_asking_by_hand_asks(path: Path, whose: Whose, *, running: bool) -> None:
    fleet, observed, asked = read_case(path)
    by_hand, in_rounds = World(whose), World(whose)
    the_long_way(fleet, observed, asked, by_hand, running=running)
    made = in_rounds.play(draft_of(fleet, observed, asked), Purpose(running))
    assert in_rounds.asked == by_hand.asked
    with_quotas = replace(asked, quotas=made.fit.lines, bucket_room=made.fit.one_more or asked.bucket_room)
    assert made.fitted == plan_fleet(fleet, made.facts.observed, with_quotas)


def test_an_idle_plan_that_runs_asks_nothing() -> None:
    """Whatever else is there: what nobody declares, an owner that is not looked at, a fleet that prunes nothing."""
    world = World()
    stranger = a_row("research/space/zed-lab/JupyterLab/default", ownership="unread")
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world.play(draft_of(fleet, observe(a_row(LAB, ownership="unread"), stranger)))
    assert world.asked == []


def test_what_is_only_said_is_asked_when_somebody_reads_the_plan_or_something_changes() -> None:
    stranger = key_of("research/space/zed-lab/JupyterLab/default")
    observed = observe(a_row(LAB, ownership="unread"), a_row(str(stranger), ownership="unread"))
    for fleet, purpose, claimed in (
        (a_fleet(an_app(LAB)), READ, (key_of(LAB),)),
        (a_fleet(an_app(LAB), an_app(CANVAS)), RUNS, ()),
    ):
        world = World()
        world.play(draft_of(fleet, observed), purpose)
        assert world.asked[0] == WhoseAre((), (stranger,), claimed)


@pytest.mark.parametrize("denied", [True, False])
def test_a_plan_that_is_refused_asks_for_no_quotas_and_no_owners(*, denied: bool) -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World()
    made = world.play(draft_of(fleet, observe(), options(run_denied=denied), goes_too_far=lambda _, __: not denied))
    assert world.asked == []
    assert made.plan.summary["create"] == 1


@pytest.mark.parametrize("denied", [True, False])
def test_a_plan_that_is_refused_compares_owners_where_the_user_asks_for_them(*, denied: bool) -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    asked = options(run_denied=denied, request=Request(owners=True))
    draft = draft_of(fleet, observe(), asked, goes_too_far=lambda _, __: not denied, watched=frozenset({ALICE, LABS}))
    world = World(owner=seen(ALICE))
    made = world.play(draft)
    assert world.asked == [AreThere((LABS, ALICE))]
    assert made.facts.owners.keys() == {ALICE, LABS}


def test_one_that_failed_is_described_so_that_its_reason_can_be_told() -> None:
    """Also where the fleet declares nothing that could differ; one that creates need is looked at by the run itself."""
    fleet = replace(a_fleet(), owners=OWNERS)
    failed = replace(seen(ALICE), status="Update_Failed")
    draft = draft_of(fleet, observe(), watched=frozenset({ALICE})).knowing(Facts(owners={ALICE: failed}))
    assert questions_of(draft, READ) == (AreAs((ALICE,)),)
    assert questions_of(draft.knowing(Facts(owners={ALICE: replace(failed, settings={})})), READ) == ()
    assert questions_of(draft.knowing(Facts(owners={ALICE: seen(ALICE)})), READ) == ()


def test_decisive_ownership_comes_before_anything_else() -> None:
    """Also before the plan: it is not made until it is known whose the apps are."""
    fleet = a_fleet(an_app(LAB, mode="absent"), an_app(CANVAS))
    draft = draft_of(fleet, observe(a_row(LAB, ownership="unread"), a_row("lab/space/x/CodeEditor/d")))
    assert questions_of(draft, READ) == (WhoseAre((key_of(LAB),)),)
    assert not {"apps", "fitted", "owned"} & vars(draft).keys()


def test_quotas_are_asked_only_of_lanes_in_which_something_is_made() -> None:
    far = Lane(LANE.account, "eu-central-1")
    asked = options(domain_lanes={"research": LANE, "lab": far, "other": LANE})
    world = World()
    world.play(draft_of(a_fleet(an_app(LAB)), observe(a_row("lab/space/x/CodeEditor/d")), asked))
    assert world.asked == [RoomIn(LANE, "research")]


def quotas_of(*names: str) -> LaneQuotas:
    return LaneQuotas({name: QuotaValue(f"L-{number}", 9) for number, name in enumerate(names)})


def of_accounts(count: int, *apps: str, **more: Any) -> Draft:
    """Return a draft that makes these apps in a domain of each of so many accounts, and of one in another region."""
    lanes = {f"d{number}": Lane(f"{number:012}", "eu-west-1") for number in range(count)}
    lanes["far"] = Lane("0" * 12, "us-east-1")
    made = [an_app(f"{name}/{rest}", **more) for name in lanes for rest in apps]
    fleet = a_fleet(*made, domains=lanes)
    return draft_of(fleet, observe(domains=lanes), options(domain_lanes=lanes), creates=False)


def test_quotas_are_listed_in_one_account_of_each_region_and_the_others_are_asked_by_code() -> None:
    draft = of_accounts(3, "space/a/JupyterLab/default")
    lanes = draft.asked.domain_lanes
    assert questions_of(draft, RUNS) == (RoomIn(lanes["d0"], "d0"), RoomIn(lanes["far"], "far"))
    read = {lanes["d0"]: quotas_of(MEDIUM_LABS, "others", RUNNING_APPS), lanes["far"]: LaneQuotas(unread_because="no")}
    known = draft.knowing(Facts(quotas=read))
    assert questions_of(known, RUNS) == tuple(RoomIn(lanes[name], name, ("L-0", "L-2")) for name in ("d1", "d2"))
    with_owners = replace(known, creates_owners=True)
    of_owners = quotas_of(MEDIUM_LABS, "others", RUNNING_APPS, *OWNER_QUOTAS.values())
    with_owners = with_owners.knowing(Facts(quotas={lanes["d0"]: of_owners}))
    assert questions_of(with_owners, RUNS)[0] == RoomIn(lanes["d1"], "d1", ("L-0", "L-2", "L-3", "L-4"))


def test_where_the_first_account_could_not_be_read_or_many_quotas_decide_each_lists_them() -> None:
    draft = of_accounts(2, "space/a/JupyterLab/default")
    lanes = draft.asked.domain_lanes
    unread = {lanes["d0"]: LaneQuotas(unread_because="no"), lanes["far"]: LaneQuotas()}
    assert questions_of(draft.knowing(Facts(quotas=unread)), RUNS) == (RoomIn(lanes["d1"], "d1"),)
    types = [f"ml.m5.{number}xlarge" for number in (2, 4, 8, 12, 16, 24)]
    many = of_accounts(2, "space/a/JupyterLab/default", fallback=types)
    names = [quota_name("JupyterLab", one) for one in ("ml.t3.medium", *types)]
    read = {lanes["d0"]: quotas_of(*names, RUNNING_APPS), lanes["far"]: LaneQuotas()}
    assert questions_of(many.knowing(Facts(quotas=read)), RUNS) == (RoomIn(lanes["d1"], "d1"),)


def test_a_replace_without_room_needs_no_owner() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World(quotas=FULL)
    made = world.play(
        draft_of(fleet, observe(a_row(LAB, instance_type="ml.g5.xlarge")), options(replace_on_drift=True))
    )
    assert world.asked == [RoomIn(LANE, "lab")]
    assert made.plan.changes == ()
    assert made.fit.one_more
    assert {line.fits for line in made.plan.quotas} == {Fits.NO}


def test_the_holder_of_a_missing_space_is_asked_for_next_and_then_how_people_sign_in_and_whether_there_is_room() -> (
    None
):
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World(auth_mode="SSO")
    made = world.play(draft_of(fleet, observe()))
    room = OwnersRoomIn(LANE, "lab", (SPACE, USER))
    assert world.asked[1:] == [AreThere((LABS,)), AreThere((ALICE,)), SignsIn("research"), room]
    assert made.plan.denied, "a profile without a name there is refused"


def assigned_by(draft: Draft) -> list[Application | None]:
    return [change.assigned_to for change in draft.plan.owners]


def test_where_users_are_assigned_the_application_of_their_domain_is_asked_for_last() -> None:
    named = (replace(OWNERS[0], sso_identity="alice@corp.example"), OWNERS[1])
    fleet = replace(a_fleet(an_app(LAB)), owners=named)
    world = World(auth_mode="SSO")
    made = world.play(draft_of(fleet, observe(), assigns_users=True))
    assert (world.asked[3], world.asked[-1]) == (SignsIn("research"), ApplicationOf("research"))
    assert assigned_by(made) == [APPLICATION, None], "spaces have no users"
    assert made.plan.findings == (), "nobody has to assign them by hand"
    assert made.plan.owners[0].to_json()["assigned_to"] == APPLICATION.arn


@pytest.mark.parametrize(
    ("mode", "identity", "assigns"), [("IAM", None, True), ("SSO", "a@x", False), ("SSO", None, True)]
)
def test_no_application_is_asked_for_where_nobody_is_assigned(mode: str, identity: str | None, assigns: bool) -> None:
    """People who sign in otherwise, a policy that does not assign, and a plan that is denied."""
    fleet = replace(a_fleet(an_app(LAB)), owners=(replace(OWNERS[0], sso_identity=identity), OWNERS[1]))
    world = World(auth_mode=mode)
    made = world.play(draft_of(fleet, observe(), assigns_users=assigns))
    assert SignsIn("research") in world.asked
    assert not any(isinstance(question, ApplicationOf) for question in world.asked)
    assert assigned_by(made) == [None, None]
    assert all("assigned_to" not in change.to_json() for change in made.plan.owners)


def test_an_application_that_cannot_be_read_is_a_finding_with_the_command_for_each_user() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=(replace(OWNERS[0], sso_identity="a@x"), OWNERS[1]))
    unread = replace(APPLICATION, store="", unread=Why("ListInstances is not allowed"))
    made = World(auth_mode="SSO", application=unread).play(draft_of(fleet, observe(), assigns_users=True))
    (finding,) = made.plan.findings
    assert (finding.rule, made.plan.denied, assigned_by(made)) == ("assign", False, [None, None])
    assert "cannot sign in: ListInstances is not allowed. An administrator" in finding.message


def test_room_for_owners_is_asked_once_and_of_those_alone_that_are_made() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World()
    first = draft_of(fleet, observe()).knowing(Facts(owners={LABS: None, ALICE: seen(ALICE)}, quotas={LANE: FULL}))
    assert questions_of(first, RUNS) == (OwnersRoomIn(LANE, "lab", (SPACE,)),)
    world.room = OwnerRoom({SPACE: QuotaValue("L-2", 7)}, {SPACE: 7})
    made = world.play(first)
    assert [(line.quota, line.used, line.fits) for line in made.plan.quotas if line.wanted] == [
        ("Studio JupyterLab Apps running on ml.t3.medium instances", 0, Fits.NO),
        (OWNER_QUOTAS[SPACE], 7, Fits.NO),
    ]
    assert made.plan.fingerprint == first.plan.fingerprint
    assert (made.owned, made.plan.applyable) == (first.owned, True)


@pytest.mark.parametrize("owner", [seen(LABS), Unknown("ListSpaces is not allowed")])
def test_of_owners_that_are_there_or_cannot_be_looked_at_nothing_more_is_asked(owner: ObservedOwner | Unknown) -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World(owner=owner)
    made = world.play(draft_of(fleet, observe()))
    assert world.asked[1:] == [AreThere((LABS,))]
    assert made.plan.owners == ()
    assert made.plan.summary["create"] == 1


def test_without_leave_to_make_owners_nobody_asks_whose_they_would_be() -> None:
    fleet = replace(a_fleet(an_app(LAB)), owners=OWNERS)
    world = World()
    made = world.play(draft_of(fleet, observe(), creates=False))
    assert world.asked[1:] == [AreThere((LABS,))]
    assert [change.reason for change in made.plan.decisions] == [Reason.OWNER_MISSING]


def test_whoever_leaves_is_asked_about_once_for_each_domain_that_is_reached() -> None:
    """Also of a plan that is refused, since its reader wants to know what stays."""
    lost = DesiredOwner(Owner("unreached", USER, "zed"), SOURCE)
    gone = Purpose(running=True, leaving=(*OWNERS, lost))
    world = World()
    world.play(draft_of(a_fleet(an_app(LAB, mode="absent")), observe(), options(run_denied=True)), gone)
    assert world.asked == [ResidentsOf("research", (LABS, ALICE))]


def test_of_whose_updates_are_put_back_it_is_asked_whether_they_are_there_how_they_are_set_and_whose_they_are() -> None:
    gone, unread = Owner("research", SPACE, "gone"), Owner("research", SPACE, "unread")
    going, unreached = Owner("research", SPACE, "going"), Owner("unreached", USER, "zed")
    purpose = Purpose(running=True, restored=(LABS, ALICE, gone, unread, going, unreached))
    draft = draft_of(a_fleet(), observe(), creates=False)
    assert questions_of(draft, purpose) == (AreThere((LABS, ALICE, gone, unread, going)),)
    rows: dict[Owner, ObservedOwner | Unknown | None] = {
        LABS: seen(LABS),
        ALICE: seen(ALICE, settings={}),
        gone: None,
        unread: seen(unread, unread_because="denied"),
        going: ObservedOwner(going, "Deleting", 1_000.0),
    }
    draft = draft.knowing(Facts(owners=rows))
    assert questions_of(draft, purpose) == (AreAs((LABS,)),)
    draft = draft.knowing(Facts(owners={LABS: seen(LABS, settings={}, ownership=Ownership.OURS)}))
    assert questions_of(draft, purpose) == (ManagedBy((ALICE,)),)
    draft = draft.knowing(Facts(owners={ALICE: seen(ALICE, settings={}, ownership=Ownership.NOBODY)}))
    assert questions_of(draft, purpose) == ()


PRUNES = options(prune=True)


@pytest.mark.parametrize(
    ("tagged", "why"),
    [
        (("arn:aws:sagemaker:eu-west-1:1:space/d/x",), "space/d/x carries appfleet:fleet = ml-platform, and so may"),
        (Unknown("ListTags is not allowed"), "carries appfleet:fleet is not known: ListTags is not allowed"),
    ],
)
def test_a_tag_that_is_there_or_unknown_lets_nothing_be_pruned_and_is_an_error(
    tagged: tuple[str, ...] | Unknown, why: str
) -> None:
    world = World(tagged=tagged)
    made = world.play(draft_of(a_fleet(), observe(a_row(LAB, ownership="unread")), PRUNES))
    assert world.asked == [WhoseAre((key_of(LAB),)), CarriesFleetTag(LANE, (key_of(LAB),))]
    assert made.plan.changes == ()
    assert not made.plan.complete
    assert made.refusal is not None
    assert why in made.refusal.why
    assert (made.refusal.trouble.code, made.refusal.trouble.hint) == ("tagged_owner", made.refusal.hint)
    assert f"nothing is pruned: {made.refusal}" in [finding.message for finding in made.plan.findings]


def test_where_nothing_carries_the_tag_what_is_ours_is_pruned() -> None:
    made = World().play(draft_of(a_fleet(), observe(a_row(LAB, ownership="unread")), PRUNES))
    assert [change.reason for change in made.plan.changes] == [Reason.NOT_DECLARED]
    assert (made.refusal, made.plan.complete) == (None, True)


@pytest.mark.parametrize(
    ("observed", "facts", "complete"),
    [
        (observe(), Facts(), True),
        (observe(errors={"research": AccessDenied("no")}), Facts(), False),
        (observe(), Facts(residents={"research": {ALICE: seen(ALICE, unread_because="no")}}), False),
        (observe(), Facts(residents={"research": {ALICE: seen(ALICE)}}), True),
        (observe(), Facts(tagged={LANE: Unknown("no")}), False),
        (observe(), Facts(tags_unread={LANE: "no"}, quotas={LANE: LaneQuotas(unread_because="no")}), True),
    ],
)
def test_a_plan_is_complete_when_what_decides_was_listed_and_answered(
    observed: ObservedFleet, facts: Facts, *, complete: bool
) -> None:
    assert Draft(a_fleet(), Facts(observed) | facts, options()).plan.complete is complete


def test_what_could_not_be_read_is_said_once_in_the_plan() -> None:
    why = "not you"
    facts = Facts(
        observe(),
        tags_unread={LANE: "no"},
        quotas={LANE: LaneQuotas(unread_because=why)},
        owner_rooms={LANE: OwnerRoom(unread_because=why)},
    )
    assert [(one.rule, one.message) for one in Draft(a_fleet(), facts, options()).plan.findings] == [
        ("quotas", f"quotas of {LANE} are not known: not you. This does not hold back any app"),
        (
            "tags",
            f"tags in account {LANE.account}, region {LANE.region} were not read: no. {NOT_KNOWN}",
        ),
    ]


def test_a_draft_that_knows_more_keeps_what_nothing_new_concerns() -> None:
    first = draft_of(replace(a_fleet(an_app(LAB)), owners=OWNERS), observe())
    assert (first.refused, first.needed) == (False, (LABS,))
    parts: tuple[Callable[[Draft], Any], ...] = (lambda draft: draft.joined, lambda draft: draft.apps)
    later = first.knowing(Facts(owners={LABS: None}))
    assert all(part(later) is part(first) for part in parts)
    assert later.fitted is first.fitted
    assert later.owned is not first.owned
    fitted = later.knowing(Facts(quotas={LANE: FULL}))
    assert all(part(fitted) is part(first) for part in parts)
    assert fitted.fitted is not first.fitted
    other = fitted.knowing(Facts(observe(a_row(LAB))))
    assert not any(part(other) is part(first) for part in parts)
    assert other.plan.changes == ()


def test_facts_that_know_more_hold_whose_each_row_is_and_leave_the_others() -> None:
    fleet = observe(a_row(LAB, ownership="unread"), a_row(CANVAS, ownership="unread"))
    theirs = Whose(Ownership.FOREIGN, "others")
    gone = key_of("research/space/zed-lab/JupyterLab/default")
    facts = Facts(fleet) | Facts(ownership={key_of(LAB): theirs, key_of(CANVAS): UNREAD, gone: OURS})
    rows = facts.observed.domains["research"].apps
    assert (rows[key_of(LAB)].ownership, rows[key_of(LAB)].foreign_fleet) == (Ownership.FOREIGN, "others")
    assert rows[key_of(CANVAS)] is fleet.domains["research"].apps[key_of(CANVAS)]
    assert facts.observed.domains["lab"] is fleet.domains["lab"]
    assert rows.keys() == {key_of(LAB), key_of(CANVAS)}
    ours = facts | Facts(ownership={key_of(CANVAS): OURS}, quotas={LANE: FULL})
    assert ours.observed.domains["research"].apps[key_of(CANVAS)].foreign_fleet == ""
    assert ours.quota_codes == {"Studio JupyterLab Apps running on ml.t3.medium instances": "L-1"}
    assert ours.tagged is facts.tagged
    assert (ours | Facts()).observed is ours.observed


def test_an_absent_app_whose_owner_nobody_read_is_not_asked_for_again() -> None:
    world = World(UNREAD)
    made = world.play(draft_of(a_fleet(an_app(LAB, mode=Mode.ABSENT.value)), observe(a_row(LAB, ownership="unread"))))
    assert world.asked == [WhoseAre((key_of(LAB),))]
    assert [change.reason for change in made.plan.decisions] == [Reason.NOT_OWNED]


TRAINING_PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"


def on_plan(*keys: str) -> DesiredFleet:
    return a_fleet(*(an_app(key, "ml.p5.48xlarge", training_plan_arn=TRAINING_PLAN) for key in keys))


def test_a_training_plan_is_asked_about_beside_the_quotas_and_shown_among_them() -> None:
    world = World()
    world.training_plan = TrainingPlan(TRAINING_PLAN, "Active", 4, 1)
    made = world.play(draft_of(on_plan(LAB, "research/space/bob-lab/JupyterLab/default"), observe()))
    assert world.asked[:2] == [PlansAre(LANE, "lab", (TRAINING_PLAN,)), RoomIn(LANE, "lab")]
    (line,) = made.plan.quotas
    assert (line.bucket, line.value, line.used, line.wanted, line.fits) == (
        "111122223333/eu-west-1/training-plan/p5-week-50", 4, 3, 2, Fits.NO,
    )  # fmt: skip
    assert made.plan.summary["create"] == 2


def test_an_app_whose_plan_is_gone_is_left_alone_and_its_owner_is_not_asked_about() -> None:
    fleet = replace(on_plan(LAB), owners=OWNERS)
    world = World()
    made = world.play(draft_of(fleet, observe()))
    assert not [one for one in world.asked if isinstance(one, AreThere)]
    assert [change.reason for change in made.plan.decisions] == [Reason.TRAINING_PLAN]
    assert (made.plan.changes, made.plan.quotas) == ((), ())


def test_a_plan_that_could_not_be_read_holds_nothing_back_and_is_named() -> None:
    world = World()
    world.training_plan = Unknown("it is not allowed")
    made = world.play(draft_of(on_plan(LAB), observe()))
    assert made.plan.summary["create"] == 1
    (finding,) = [one for one in made.plan.findings if one.rule == "training_plan"]
    assert finding.enforcement == "advisory"
    assert finding.message == (
        "training plan p5-week-50 was not read: it is not allowed. "
        "appfleet creates its apps without knowing whether it has room"
    )


def test_a_replace_onto_a_full_plan_is_refused() -> None:
    world = World()
    world.training_plan = TrainingPlan(TRAINING_PLAN, "Active", 1, 0)
    asked = options(replace_on_drift=True)
    made = world.play(draft_of(on_plan(LAB), observe(a_row(LAB, instance_type="ml.p5.48xlarge")), asked))
    assert made.plan.changes == ()
    assert [finding.rule for finding in made.plan.findings] == ["quota"]


def test_a_plan_that_is_refused_asks_about_no_training_plan() -> None:
    world = World()
    world.play(draft_of(on_plan(LAB), observe(), options(run_denied=True)))
    assert world.asked == []


def test_what_a_wave_leaves_out_is_asked_about_its_room_too_and_takes_the_place_of_what_has_none() -> None:
    """The oldest would go first and its new type has no room, so the next one goes: with its own room known."""
    keys = [f"research/space/s{number}/JupyterLab/default" for number in range(3)]
    kinds = ["ml.t3.medium", "ml.t3.medium", "ml.m5.large"]
    fleet = a_fleet(*(an_app(key, kind) for key, kind in zip(keys, kinds, strict=True)))
    rows = [a_row(key, instance_type="ml.g5.xlarge", created_at=float(n), ownership="unread") for n, key in
            enumerate(keys)]  # fmt: skip
    asked = replace(options(replace_on_drift=True), safety=Safety(replace_wave=1))
    world = World(quotas=FULL)
    draft = world.play(draft_of(fleet, observe(*rows), asked))
    reasons = {str(change.key): (change.action, change.reason) for change in draft.plan.decisions}
    assert reasons[keys[0]] == reasons[keys[1]] == (Action.NONE, Reason.DRIFT)
    assert reasons[keys[2]] == (Action.DELETE_THEN_CREATE, Reason.DRIFT)
    assert [finding.rule for finding in draft.plan.findings] == ["quota", "quota"]


def test_a_wave_leaves_the_others_for_the_next_run() -> None:
    keys = [f"research/space/s{number}/JupyterLab/default" for number in range(3)]
    fleet = a_fleet(*(an_app(key) for key in keys))
    rows = [a_row(key, instance_type="ml.g5.xlarge", ownership="unread") for key in keys]
    asked = replace(options(replace_on_drift=True), safety=Safety(replace_wave=2, spare_active=3_600.0))
    draft = World().play(draft_of(fleet, observe(*rows), asked))
    assert [change.reason for change in draft.plan.decisions] == [Reason.DRIFT, Reason.DRIFT, Reason.NEXT_WAVE]
    assert [finding.rule for finding in draft.plan.findings] == ["replace_wave", "spare_active"]
