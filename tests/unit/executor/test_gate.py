"""A gate: parked by a refusal, probed later and later, opened by slow start, and given up in the end."""

from __future__ import annotations

from engine.executor.gate import Gate, GateState
from tests.unit.executor.parts import BACKOFF, full


def a_gate(window_max: int = 4) -> Gate:
    gate = Gate("bucket", full(), BACKOFF, lambda: 0.5, window_max)
    gate.full(full(), sent_at=0.0, now=10.0, probe=False)
    return gate


def test_it_admits_nothing_until_a_probe_is_due_and_then_one_alone() -> None:
    gate = a_gate()
    assert not gate.admits(10.4)
    assert gate.admits(10.5)  # half of the initial second, by the jitter
    assert gate.enter()
    assert not gate.admits(11.0)


def test_each_probe_that_fails_comes_later() -> None:
    gate = a_gate()
    delays = []
    now = 10.0
    for _ in range(5):
        now = gate.next_probe_at
        gate.enter()
        gate.leave()
        assert gate.full(full(), sent_at=now, now=now, probe=True)
        delays.append(gate.next_probe_at - now)
    assert delays == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert gate.since == 10.0  # patience counts from the first refusal


def test_calls_in_flight_when_it_parked_are_no_probes() -> None:
    gate = a_gate()
    assert not gate.full(full(value=9), sent_at=9.9, now=10.2, probe=False)
    assert gate.failures == 1
    assert gate.error.facts.value == 9  # what they tell is kept all the same


def test_a_late_refusal_of_another_call_leaves_the_probe_under_way() -> None:
    gate = a_gate()
    gate.enter()
    assert gate.full(full(), sent_at=10.6, now=10.7, probe=False)
    assert gate.probing


def test_a_probe_that_passes_opens_it_by_slow_start() -> None:
    gate = a_gate()
    gate.enter()
    gate.leave()
    assert gate.passed(99.0, probe=True)
    assert not gate.enter()
    assert not gate.enter()
    assert not gate.admits(11.0)  # two at a time after the first
    for _ in range(3):
        gate.leave()
        assert not gate.passed(99.0, probe=False)
    assert gate.state is GateState.OPEN
    assert gate.admits(11.0)
    assert not gate.passed(99.0, probe=False)


def test_a_create_from_before_it_parked_does_not_open_it_further() -> None:
    """The answer of a call that took seconds comes in the slow start of the time after."""
    gate = a_gate()
    gate.enter()
    assert gate.passed(10.5, probe=True)
    gate.passed(9.9, probe=False)
    assert gate.window == 2
    gate.passed(10.6, probe=False)
    assert gate.window == 3


def test_full_again_it_does_not_start_from_the_very_beginning() -> None:
    gate = a_gate()
    for _ in range(3):
        gate.enter()
        gate.leave()
        gate.full(full(), 20.0, 20.0, probe=True)
    gate.enter()
    gate.leave()
    gate.passed(99.0, probe=True)
    assert gate.full(full(), 30.0, 30.0, probe=False)
    assert gate.failures == 2
    assert gate.since == 30.0  # it had progress, so patience starts afresh


def test_a_probe_without_an_answer_about_the_quota_may_be_repeated() -> None:
    gate = a_gate()
    gate.enter()
    gate.leave()
    gate.probe_was_lost(12.0)
    assert not gate.admits(12.4)
    assert gate.admits(12.5)


def test_a_lost_probe_does_not_shorten_the_delay_of_another_refusal() -> None:
    gate = a_gate()
    gate.enter()
    gate.full(full(), sent_at=20.0, now=20.0, probe=False)
    due_at = gate.next_probe_at
    gate.leave()
    gate.jitter = lambda: 0.0
    gate.probe_was_lost(20.1)
    assert gate.next_probe_at == due_at > 20.1


def test_somebody_who_leaves_the_bucket_wakes_it() -> None:
    gate = a_gate()
    gate.wake(10.1)
    assert gate.admits(10.1)
    gate.enter()
    gate.leave()
    gate.passed(99.0, probe=True)
    gate.wake(5.0)  # open: there is nothing to wake
    assert gate.next_probe_at == 10.1


def test_it_gives_up_once_and_admits_nothing_after_its_end() -> None:
    gate = a_gate()
    assert gate.gives_up_at() == 70.0
    gate.end()
    assert gate.gives_up_at() == float("inf")
    assert not gate.admits(1_000.0)
    assert not gate.full(full(), 999.0, 1_000.0, probe=False)
