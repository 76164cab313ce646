"""What may be called next: order, delays, and the gates that some wait at."""

from __future__ import annotations

from engine.core.change import Action
from engine.core.desired import AppSpec
from engine.core.errors import NoCapacity, NotFound, QuotaExceeded
from engine.core.identity import parse_app_key
from engine.core.quota_text import quota_name
from engine.executor.gate import GateState
from engine.executor.kinds.apps import AppOperation, scopes_of
from engine.executor.operation import Phase
from engine.executor.ready import ReadyQueue
from tests.fleets import KERNEL, LANE, a_row
from tests.unit.executor.parts import BACKOFF, QUOTA, an_operation, full

T3 = "ml.t3.medium"
M5 = "ml.m5.large"


def a_queue(window_max: int = 4) -> ReadyQueue:
    return ReadyQueue(BACKOFF, lambda: 0.5, window_max)


def lab(name: str, rank: int, instance_type: str | None = T3, phase: Phase = Phase.CREATE) -> AppOperation:
    return an_operation(f"research/space/{name}/JupyterLab/default", instance_type, rank=rank, phase=phase)


def park(queue: ReadyQueue, operation: AppOperation, now: float, quota: str = QUOTA, value: int | None = 4) -> None:
    operation.sent_at = now
    error = operation.as_limit(full(quota, value))
    assert isinstance(error, QuotaExceeded)
    gate, _, _ = queue.refuse(operation, error, now)
    queue.leave_gates(operation, now, accepted=False, refused_by=gate)
    queue.wait_at(gate, operation)


def test_the_smaller_rank_goes_first() -> None:
    queue = a_queue()
    for rank in (2, 0, 1):
        queue.push(lab(f"s{rank}", rank))
    assert [queue.pop(0.0).rank for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]
    assert queue.pop(0.0) is None


def test_what_was_put_aside_comes_when_its_time_has_come() -> None:
    queue = a_queue()
    queue.push_later(lab("a", 0), 5.0)
    assert queue.next_wake_at() == 5.0
    assert not queue.has_ready(4.9)
    assert queue.has_ready(5.0)
    assert len(queue) == 1


def test_a_full_bucket_parks_its_own_and_nothing_else() -> None:
    """Row 3."""
    queue = a_queue()
    first, second, other = lab("a", 0), lab("b", 1), lab("c", 2, M5)
    for operation in (second, other):
        queue.push(operation)
    park(queue, first, 10.0)
    assert queue.pop(10.1) is other
    assert queue.pop(10.1) is None
    gate = next(iter(queue.gates.values()))
    assert queue.waiting_at(gate) == 2
    assert queue.next_wake_at() == 10.5
    assert queue.pop(10.6) is first  # the probe: the first in the order
    assert queue.pop(10.6) is None


def test_a_probe_that_passes_lets_the_others_go_little_by_little() -> None:
    queue = a_queue()
    operations = [lab(f"s{rank}", rank) for rank in range(6)]
    for operation in operations[1:]:
        queue.push(operation)
    park(queue, operations[0], 10.0)
    queue.pop(10.1)
    probe = queue.pop(10.6)
    assert probe is operations[0]
    reopened = queue.leave_gates(probe, 10.7, accepted=True, refused_by=None)
    assert [gate.state for gate in reopened] == [GateState.OPENING]
    passed = [queue.pop(10.8) for _ in range(6)]
    assert [one.rank for one in passed if one is not None] == [1, 2]


def test_an_open_gate_lets_everything_go() -> None:
    queue = a_queue(window_max=1)
    park(queue, lab("a", 0), 10.0)
    queue.push(lab("b", 1))
    probe = queue.pop(10.6)
    assert probe is not None
    queue.leave_gates(probe, 10.7, accepted=True, refused_by=None)
    gate = next(iter(queue.gates.values()))
    following = queue.pop(10.8)
    assert following is not None
    following.sent_at = 10.8
    queue.leave_gates(following, 10.9, accepted=True, refused_by=None)
    assert gate.state is GateState.OPEN
    queue.push(lab("c", 2))
    assert queue.pop(11.0) is not None


def test_a_lost_probe_is_followed_by_another() -> None:
    queue = a_queue()
    park(queue, lab("a", 0), 10.0)
    probe = queue.pop(10.6)
    assert probe is not None
    queue.leave_gates(probe, 10.7, accepted=False, refused_by=None)
    queue.push(probe)
    assert queue.pop(10.8) is None
    assert queue.pop(11.3) is probe


def test_an_account_wide_quota_parks_the_whole_lane() -> None:
    queue = a_queue()
    queue.push(lab("b", 1, M5))
    park(queue, lab("a", 0), 10.0, "Maximum number of running Studio apps allowed per account")
    assert queue.pop(10.1) is None
    assert list(queue.gates) == [f"{LANE}/all apps"]


def test_a_quota_that_is_named_is_shared_by_all_that_name_it() -> None:
    """Row 6: the gate stands on the quota's name, and a bucket that was refused for it stands behind it too."""
    queue = a_queue()
    park(queue, lab("a", 0), 10.0, "Total size of everything")
    park(queue, lab("b", 1, M5), 10.0, "Total size of everything")
    assert list(queue.gates) == ["Total size of everything"]
    queue.push(lab("c", 2, M5))
    assert queue.pop(10.1) is None
    assert queue.pop(10.6) is not None


def test_an_app_without_an_instance_type_learns_its_bucket_from_the_message() -> None:
    queue = a_queue()
    park(queue, lab("a", 0, None), 10.0)
    assert list(queue.gates) == [f"{LANE}/JupyterLab/ml.t3.medium"]
    queue.push(lab("b", 1, None))
    assert queue.pop(10.1) is None


def test_a_message_without_a_name_parks_the_bucket() -> None:
    """Row 5."""
    queue = a_queue()
    park(queue, lab("a", 0), 10.0, "")
    assert list(queue.gates) == [f"{LANE}/JupyterLab/ml.t3.medium"]


def test_a_users_own_limit_parks_that_user_alone() -> None:
    queue = a_queue()
    mine = an_operation(KERNEL, T3)
    mine.sent_at = 10.0
    gate, _, _ = queue.refuse(mine, full("", None, user_profile="alice", app_type="KernelGateway"), 10.0)
    queue.wait_at(gate, mine)
    other = an_operation("research/user/bob/KernelGateway/nightly", T3, rank=1)
    queue.push(other)
    assert queue.pop(10.1) is other
    assert gate.name == "research/user/alice/KernelGateway/ml.t3.medium"
    lab_of_alice = lab("x", 2)
    gate, _, _ = queue.refuse(lab_of_alice, full("", None, user_profile="alice"), 10.0)
    assert gate.name.endswith("JupyterLab/ml.t3.medium")


def test_the_delete_of_a_replace_is_never_a_probe() -> None:
    """Row 36."""
    queue = a_queue()
    replace = an_operation(rank=0, phase=Phase.DELETE, action=Action.DELETE_THEN_CREATE, before=a_row())
    queue.push(replace)
    park(queue, lab("a", 1), 10.0)
    create = queue.pop(10.6)
    assert create is not None
    assert create.rank == 1  # the replace came first and had to wait
    gate = next(iter(queue.gates.values()))
    queue.leave_gates(create, 10.7, accepted=False, refused_by=None)
    assert queue.next_wake_at() == gate.gives_up_at()  # only deletes wait: there is nothing to probe with


def test_somebody_who_leaves_wakes_the_gates_of_what_he_counted_against() -> None:
    queue = a_queue()
    park(queue, lab("a", 0), 10.0)
    key = parse_app_key("research/space/z/JupyterLab/default")
    queue.wake_bucket(scopes_of(LANE, key, AppSpec(M5)), 10.1)
    assert queue.pop(10.1) is None
    queue.wake_bucket(scopes_of(LANE, key, AppSpec(T3)), 10.1)
    assert queue.pop(10.1) is not None


def test_patience_ends_for_the_gate_and_all_that_waits_there() -> None:
    queue = a_queue()
    park(queue, lab("a", 1), 10.0)
    park(queue, lab("b", 0), 10.0)
    assert queue.gates_that_give_up(69.9) == []
    (gate,) = queue.gates_that_give_up(70.0)
    gate.end()
    assert queue.next_wake_at() == float("-inf")
    assert [one.rank for one in queue.empty_gate(gate)] == [0, 1]
    assert queue.empty_gate(gate) == []


def test_all_that_waits_can_be_taken_out_with_the_gate_it_waited_at() -> None:
    queue = a_queue()
    queue.push(lab("a", 0, M5))
    queue.push_later(lab("b", 1, M5), 99.0)
    park(queue, lab("c", 2), 10.0)
    left = {operation.rank: gate for operation, gate in queue.drain()}
    assert left[0] is None
    assert left[1] is None
    assert left[2] is not None
    assert len(queue) == 0


def test_a_gate_that_has_opened_holds_back_nothing_that_is_taken_out() -> None:
    """What waits there has had no turn since; its quota has room."""
    queue = a_queue(window_max=1)
    for rank in range(4):
        park(queue, lab(f"s{rank}", rank), 10.0)
    gate = next(iter(queue.gates.values()))
    for now in (10.6, 10.8):
        passing = queue.pop(now)
        assert passing is not None
        passing.sent_at = now
        queue.leave_gates(passing, now, accepted=True, refused_by=None)
    assert (gate.state, queue.waiting_at(gate)) == (GateState.OPEN, 1)
    assert [(operation.rank, held_by) for operation, held_by in queue.drain()] == [(2, None), (3, None)]


def test_a_kernel_on_system_counts_as_what_the_service_makes_of_it() -> None:
    key = parse_app_key(KERNEL)
    assert scopes_of(LANE, key, AppSpec("system")) == scopes_of(LANE, key, AppSpec("ml.t3.medium"))


def test_a_delete_waits_at_no_gate_for_it_takes_no_place() -> None:
    """A full quota is left by deletes: one that waited for room in it would wait for itself."""
    queue = a_queue()
    park(queue, lab("a", 0), 10.0)
    leaving = an_operation("research/space/b/JupyterLab/default", T3, phase=Phase.DELETE, action=Action.DELETE)
    queue.push(leaving)
    assert queue.pop(10.1) is leaving


def test_what_will_fall_back_to_a_gate_is_counted_there_wherever_it_is_before() -> None:
    queue = a_queue()
    first, at_gate, ready, other = (
        an_operation(f"research/space/{name}/JupyterLab/default", T3, rank=rank, fallback=(M5,))
        for rank, name in enumerate("abcd")
    )
    queue.push(at_gate)
    park(queue, first, 10.0)
    assert queue.pop(10.1) is None, "it stands at the gate of its first type"
    queue.push_later(ready, 99.0)
    queue.hold_for(other.after[0])
    queue.push(other)
    (parked,) = queue.gates.values()
    first.choice = 1
    fallback, _, _ = queue.refuse(first, full(quota_name("JupyterLab", M5), value=0), 11.0)
    fallback.end()
    assert queue.wanting(fallback) == 0, "a full quota is waited for, and nobody falls back"
    parked.error = full(QUOTA, value=0)
    parked.end()
    assert queue.wanting(fallback) == 4
    assert queue.wants(fallback, first)
    assert not queue.wants(parked, first)
    assert not queue.wants(fallback, lab("e", 9)), "it has no fallback"


PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"


def on_plan(owner: str, rank: int, app_type: str = "JupyterLab") -> AppOperation:
    key = f"research/space/{owner}/{app_type}/default"
    return an_operation(key, "ml.p5.48xlarge", rank=rank, training_plan_arn=PLAN)


def test_a_full_training_plan_parks_its_apps_of_every_type_and_nothing_else() -> None:
    queue = a_queue()
    first = on_plan("a", 0)
    park(queue, first, 10.0, "", None)
    assert list(queue.gates) == ["111122223333/eu-west-1/training-plan/p5"]
    queue.push(on_plan("b", 1, "CodeEditor"))
    queue.push(an_operation("research/space/c/JupyterLab/default", "ml.p5.48xlarge", rank=2))
    popped = queue.pop(10.1)
    assert popped is not None
    assert popped.rank == 2, "an app of the same types outside the plan"
    assert queue.pop(10.1) is None


def test_a_full_quota_of_the_account_parks_no_app_of_a_training_plan() -> None:
    queue = a_queue()
    park(queue, an_operation("research/space/c/JupyterLab/default", "ml.p5.48xlarge", rank=2), 10.0, "")
    queue.push(on_plan("a", 0))
    assert queue.pop(10.1) is not None


def test_an_app_of_a_plan_waits_for_a_quota_that_the_refusal_names() -> None:
    queue = a_queue()
    named = quota_name("JupyterLab", "ml.p5.48xlarge")
    first = on_plan("a", 0)
    park(queue, first, 10.0, named)
    assert list(queue.gates) == ["111122223333/eu-west-1/JupyterLab/ml.p5.48xlarge"]
    queue.push(an_operation("research/space/c/JupyterLab/default", "ml.p5.48xlarge", rank=2))
    queue.push(on_plan("b", 1))
    assert queue.pop(10.1) is None


def test_an_app_that_leaves_a_plan_wakes_its_gate() -> None:
    queue = a_queue()
    first = on_plan("a", 0)
    park(queue, first, 10.0, "", None)
    key = parse_app_key("research/space/z/CodeEditor/default")
    queue.wake_bucket(scopes_of(LANE, key, AppSpec("ml.p5.48xlarge")), 10.1)
    assert queue.pop(10.1) is None
    queue.wake_bucket(scopes_of(LANE, key, AppSpec("ml.p5.48xlarge", training_plan_arn=PLAN)), 10.1)
    assert queue.pop(10.1) is not None


def test_what_has_no_capacity_on_a_plan_is_a_full_plan_with_what_to_do() -> None:
    lack = NoCapacity("no machine", service_code="EC2InsufficientCapacityError", operation="CreateApp")
    told = on_plan("a", 0).as_limit(lack)
    assert isinstance(told, QuotaExceeded)
    assert (told.message, told.service_code, told.facts.training_plan) == (
        "no machine", "EC2InsufficientCapacityError", "p5",
    )  # fmt: skip
    assert "delete apps that run on training plan p5" in told.hint
    assert lab("a", 0).as_limit(lack) is lack
    other = NotFound("x")
    assert on_plan("a", 0).as_limit(other) is other
    of_user = full(quota="", user_profile="alice")
    assert on_plan("a", 0).as_limit(of_user) is of_user
