"""Shards: each lane in exactly one, of nearly equal sizes, and an index that no shard has is explained."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.core.identity import Lane
from engine.core.selectors import Selectors
from engine.core.shards import Shard, divided, fleet_fingerprint, parse_shard
from tests.fleets import an_app

lanes = st.builds(Lane, st.integers(0, 99).map("{:012}".format), st.sampled_from(("eu-west-1", "us-east-1")))
sizes = st.dictionaries(lanes, st.integers(0, 5_000), max_size=60)


@given(sizes, st.integers(1, 20))
def test_each_lane_is_in_exactly_one_shard(sizes: dict[Lane, int], count: int) -> None:
    shards = divided(sizes, count)
    assert len(shards) == count
    assert sorted(lane for shard in shards for lane in shard) == sorted(sizes)


@given(sizes, st.integers(1, 20), st.randoms())
def test_the_order_of_the_lanes_does_not_matter(sizes: dict[Lane, int], count: int, order: random.Random) -> None:
    shuffled = list(sizes.items())
    order.shuffle(shuffled)
    assert divided(dict(shuffled), count) == divided(sizes, count)


@given(sizes, st.integers(1, 20))
def test_no_shard_is_larger_than_the_mean_by_more_than_one_lane(sizes: dict[Lane, int], count: int) -> None:
    weights = {lane: max(size, 1) for lane, size in sizes.items()}
    loads = [sum(weights[lane] for lane in shard) for shard in divided(sizes, count)]
    assert max(loads) <= sum(loads) / count + max(weights.values(), default=0)


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_of_sixteen_shards_is_within_a_twentieth_of_the_mean(seed: int) -> None:
    draw = random.Random(seed)
    sizes = {Lane(f"{number:012}", "eu-west-1"): draw.randint(50, 5_000) for number in range(1_000)}
    loads = [sum(map(sizes.__getitem__, shard)) for shard in divided(sizes, 16)]
    assert max(loads) <= 1.05 * sum(loads) / 16


def test_lanes_without_an_app_are_spread_too() -> None:
    shards = divided({Lane(f"{number:012}", "eu-west-1"): 0 for number in range(32)}, 16)
    assert {len(shard) for shard in shards} == {2}


def test_a_shard_reads_as_it_is_written() -> None:
    assert str(parse_shard("3/16")) == "3/16"
    assert parse_shard("0/1") == Shard(0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("16/16", "there is no shard 16 of 16. Shards count from 0, so the last one is 15/16: use --shard 15/16"),
        ("20/16", "there is no shard 20 of 16. Shards count from 0: use 0/16 to 15/16"),
        ("0/0", "the number of shards must be 1 to 10,000. Write --shard I/N, with I from 0 to N-1"),
        ("1/10001", "the number of shards must be 1 to 10,000"),
        ("3", '"3" is not I/N. Write --shard I/N, with I from 0 to N-1'),
        ("-1/4", '"-1/4" is not I/N'),
        ("/16", '"/16" is not I/N'),
        ("", '"" is not I/N'),
    ],
)
def test_what_is_no_shard_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard(text)
    assert said in str(caught.value)


def test_two_shards_of_one_command_are_refused() -> None:
    with pytest.raises(UsageError, match="--shard is given twice"):
        Selectors.parse(shards=["0/2", "1/2"])


def test_a_shard_stands_among_the_selectors_and_narrows_nothing_in_what_was_loaded() -> None:
    selectors = Selectors.parse(shards=["1/4"], domains=["research"])
    assert selectors.pairs() == (("domain", "research"), ("shard", "1/4"))
    assert Selectors.from_pairs(selectors.pairs()) == selectors
    assert selectors.shard == Shard(1, 4)
    assert not selectors.is_empty
    alone = Selectors.parse(shards=["1/4"])
    assert alone.is_empty
    assert alone.selects(an_app())
    assert Selectors().shard is None


def test_the_fingerprint_of_a_fleet_does_not_depend_on_the_order_of_its_lanes() -> None:
    one, other = "111122223333/eu-west-1", "444455556666/eu-west-1"
    whole = fleet_fingerprint({one: "sha256:a", other: "sha256:b"})
    assert whole == fleet_fingerprint({other: "sha256:b", one: "sha256:a"})
    assert whole != fleet_fingerprint({one: "sha256:b", other: "sha256:a"})
    assert whole.startswith("sha256:")
