"""All shards of a plan judged together: what is not of one plan is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.errors import StalePlanError
from engine.core.finding import Finding
from engine.core.settings import Safety
from engine.core.shards import Shard
from engine.policy.gate import Circumstances, ShardRecord, judge
from engine.policy.guardrails import parse_allowance
from engine.policy.weight import Weight
from tests.unit.policy.helpers import admission

ABOUT = Circumstances("f", "1.0", {"fleet.toml": "a"}, {"policies/a.toml": "b"}, (("domain", "*"),), (("prune", "on"),))
DELETES = Weight(deleted=("lab/user/a/Canvas/default", "lab/user/b/Canvas/default"), owned=4)


def record(index: int, *, count: int = 2, lane: str = "", **more: object) -> ShardRecord:
    plain = ShardRecord(
        Shard(index, count),
        f"2026-11-24T01:0{index}:00Z",
        ABOUT,
        complete=True,
        denied=False,
        findings=(Finding("r", "advisory", "", f"said by all but {index}"),),
        lanes={lane or f"{index:012}/eu-west-1": f"sha256:{index}"},
        weights={f"d{index}": Weight(created=index)},
        groups=(),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_record_reads_as_it_was_written() -> None:
    one = record(1, weights={"lab": DELETES})
    assert ShardRecord.from_json(one.to_json()) == one


def test_the_verdict_is_the_sum() -> None:
    verdict = judge([record(1), record(0)], admission(), Safety())
    assert (verdict.denied, verdict.complete, verdict.has_changes) == (False, True, True)
    assert verdict.made_at == "2026-11-24T01:00:00Z"
    assert verdict.fingerprint == judge([record(0), record(1)], admission(), Safety()).fingerprint
    assert verdict.fingerprint != judge([record(0)], admission(), Safety()).fingerprint
    assert list(verdict.lanes) == ["000000000000/eu-west-1", "000000000001/eu-west-1"]
    assert len(verdict.findings) == 2
    assert not judge([record(0)], admission(), Safety()).has_changes
    assert judge([record(0, weights={"d": Weight(owners_deleted=("d/user/a",))})], admission(), Safety()).has_changes


def test_what_one_shard_denies_is_denied_and_what_one_could_not_list_is_incomplete() -> None:
    verdict = judge([record(0, denied=True), record(1, complete=False)], admission(), Safety())
    assert (verdict.denied, verdict.complete) == (True, False)


def test_limits_and_allowances_are_of_all_shards() -> None:
    other = Weight(deleted=("d0/user/c/Canvas/default",))
    records = [record(0, weights={"d0": other}), record(1, weights={"lab": DELETES})]
    assert judge(records, admission(), Safety(destroy_max=2)).denied
    assert not judge(records, admission(), Safety(destroy_max=3)).denied
    assert not judge(records, admission(), Safety(destroy_max=0), [parse_allowance("*=3")]).denied
    assert judge(records, admission(), Safety(destroy_max=0), [parse_allowance("*=2")]).denied


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (
            [record(0), record(1, about=replace(ABOUT, version="1.1"))],
            "shards 0/2 and 1/2 were not planned from the same",
        ),
        ([record(0), record(1, made_at="2026-11-25T00:00:00Z")], "different days, 2026-11-24 and 2026-11-25"),
        ([record(0, made_at="2026-99-99T")], "2026-99-99 is not a day on which"),
        ([record(0, lane="1/r"), record(1, lane="1/r")], "more than one shard planned 1/r"),
    ],
)
def test_what_is_not_of_one_plan_is_refused(records: list[ShardRecord], said: str) -> None:
    with pytest.raises(StalePlanError, match=said):
        judge(records, admission(), Safety())
