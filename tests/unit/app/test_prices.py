"""`prices` without a process: what is asked, what stands already, what is written, and what is said of it."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.aws.price_list import OfferPage
from engine.app.loading import Loaded, load
from engine.app.prices import (
    Standing,
    Unpriced,
    asked_regions,
    price_of_region,
    put_prices,
    standing_prices,
)
from engine.config.policy.policy_file import load_policies
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import (
    AccessDenied,
    BugError,
    OutcomeUnknown,
    PolicyError,
    ScanIncomplete,
    Throttled,
    UsageError,
)
from engine.core.limits import PRICE_PAGES_MAX_COUNT, QUOTA_ASK_MAX_SECONDS
from engine.core.price_list import PriceTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = date(2026, 11, 24)
TABLE = PriceTable("eu-west-1", {"ml.m5.large": 0.115, "ml.t3.medium": 0.05})
FLEET = """schema = 1
name = "ml"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[domains.lab]
id = "d-abcd1234efgi"
region = "us-east-1"
[domains.research.users.alice]
apps = ["canvas", { type = "KernelGateway", name = "k", instance_type = "ml.g9.large" }]
[domains.research.users.bob]
apps = ["canvas", { type = "KernelGateway", name = "k", instance_type = "system" }]
[domains.research.users.eve]
apps = [{ type = "KernelGateway", name = "k", instance_type = "ml.g7.large", mode = "absent" }]
[domains.lab.users.alice]
apps = ["canvas"]
[domains.research.spaces.a]
owner = "alice"
apps = [{ type = "JupyterLab", instance_type = "ml.m5.large", fallback = ["ml.g8.large", "ml.t3.medium"] }]
[apps.canvas]
type = "Canvas"
"""


def a_domain(name: str, region: str, **more: Any) -> DesiredDomain:
    return DesiredDomain(name, "d-abcd1234efgh", region, Source("fleet.toml", 1), **more)


def offer(kind: str, usd: str = "0.05") -> dict[str, Any]:
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": usd}}
    return {
        "product": {"attributes": {"regionCode": "eu-west-1", "instanceName": kind}},
        "terms": {"OnDemand": {"a": {"priceDimensions": {"a.1": dimension}}}},
    }


class Calls:
    """Gives one answer a call, or raises it; the last one again and again."""

    def __init__(self, *answers: Any, endpoint: str = "") -> None:
        self.answers = list(answers)
        self.endpoint = endpoint
        self.tokens: list[str] = []

    async def offers(self, region: str, token: str = "") -> Any:
        await asyncio.sleep(0)
        assert region == "eu-west-1"
        self.tokens.append(token)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def read(calls: Any, emit: Callable[[Any], None] = lambda _: None) -> PriceTable:
    return await price_of_region(calls, "eu-west-1", emit)


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[..., Loaded]:
    def make(policy: str = "", text: str = FLEET) -> Loaded:
        (tmp_path / "policies").mkdir(exist_ok=True)
        (tmp_path / "policies" / "mine.toml").write_text(policy)
        (tmp_path / "fleet.toml").write_text(text)
        return load(tmp_path / "fleet.toml", DAY)

    return make


async def test_all_pages_are_read_in_their_order() -> None:
    calls = Calls(OfferPage((offer("ml.t3.medium"),), "1"), OfferPage((), "2"), OfferPage((offer("ml.m5.large"),), ""))
    assert sorted((await read(calls)).prices) == ["ml.m5.large", "ml.t3.medium"]
    assert calls.tokens == ["", "1", "2"]


async def test_a_token_that_comes_again_ends_it_and_nothing_is_taken_for_the_whole_list() -> None:
    calls = Calls(OfferPage((offer("ml.t3.medium"),), "1"))
    with pytest.raises(
        ScanIncomplete,
        match="the price list of eu-west-1 could not be completed: the service returned the same NextToken",
    ):
        await read(calls)
    assert calls.tokens == ["", "1"]


async def test_a_list_of_endless_pages_is_left_after_a_bound() -> None:
    calls = Calls(*(OfferPage((), str(number)) for number in range(1, PRICE_PAGES_MAX_COUNT + 50)))
    with pytest.raises(ScanIncomplete, match="could not be completed: more than 100 pages"):
        await read(calls)
    assert len(calls.tokens) == PRICE_PAGES_MAX_COUNT


@pytest.mark.looptime
async def test_a_page_that_fails_is_asked_for_again_and_told() -> None:
    told: list[Any] = []
    calls = Calls(Throttled("slow down"), OfferPage((offer("ml.t3.medium"),), ""))
    assert (await read(calls, told.append)).prices == {"ml.t3.medium": 0.05}
    assert [event.operation for event in told] == ["GetProducts"]


@pytest.mark.looptime
async def test_a_list_that_can_never_be_read_is_an_error_in_the_end() -> None:
    calls = Calls(OutcomeUnknown("the answer cannot be read"))
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        await read(calls)
    assert asyncio.get_running_loop().time() >= QUOTA_ASK_MAX_SECONDS


async def test_who_may_not_ask_is_told_at_once() -> None:
    calls = Calls(AccessDenied("no"))
    with pytest.raises(AccessDenied):
        await read(calls)
    assert calls.tokens == [""]


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        ((), "among 0 offers. Write"),
        ((offer("ml.t3.medium", "dear"),), "among 1 offers: ml.t3.medium: an offer without one price in USD per hour"),
    ],
)
async def test_a_list_without_a_price_is_an_error_with_what_was_found(offers: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ScanIncomplete, match=said):
        await read(Calls(OfferPage(offers, "")))


def test_each_region_is_asked_about_once_as_the_first_domain_that_lies_in_it() -> None:
    first, second = a_domain("a", "eu-west-1", profile="p"), a_domain("b", "eu-west-1")
    assert asked_regions((first, second, a_domain("c", "eu-north-1")), ()) == {
        "eu-north-1": a_domain("c", "eu-north-1"),
        "eu-west-1": first,
    }


def test_a_region_without_a_domain_is_asked_about_as_a_domain_of_the_same_partition() -> None:
    china, ours = a_domain("a", "cn-north-1", profile="cn"), a_domain("b", "eu-west-1", profile="p")
    assert asked_regions((china, ours), ["us-east-1"]) == {"us-east-1": replace(ours, region="us-east-1")}
    alone = asked_regions((china,), ["us-east-1"])["us-east-1"]
    assert (alone.region, alone.profile, alone.role_arn) == ("us-east-1", None, None)


def test_what_is_no_region_is_refused() -> None:
    with pytest.raises(UsageError, match="'EU' is not a region"):
        asked_regions((), ["EU"])


def test_what_is_written_can_be_written_anew_and_says_when_each_region_was_asked(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "prices.toml"
    put_prices(out, standing_prices(out), [TABLE, replace(TABLE, region="us-east-1")], DAY)
    standing = standing_prices(out)
    assert standing.prices == {"eu-west-1": TABLE.prices, "us-east-1": TABLE.prices}
    other = PriceTable("us-east-1", {"ml.t3.medium": 0.06}, endpoint="http://127.0.0.1:9/")
    text = put_prices(out, standing, [other], date(2027, 1, 1)).text
    assert out.read_text() == text
    assert tomllib.loads(text)["prices"] == {"eu-west-1": TABLE.prices, "us-east-1": {"ml.t3.medium": 0.06}}
    assert "# eu-west-1: asked on 2026-11-24\n" in text
    assert "# us-east-1: asked on 2027-01-01, from http://127.0.0.1:9/, which is not AWS\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[prices]\n",
        '[prices]\n"ml.t3.medium" = 1\n',
        "# Written by appfleet prices, which writes it anew\n",
        '# Written by appfleet prices, which writes it anew\n[prices]\n"ml.t3.medium" = 1\n',
        "# Written by appfleet prices, which writes it anew\n[prices.eu-west-1]\n[safety]\n",
        "# Written by appfleet prices, which writes it anew\nprices = 1\n",
        "# Written by appfleet prices, which writes it anew\n[prices",
    ],
)
def test_a_file_that_prices_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    out = tmp_path / "p.toml"
    out.write_text(text)
    with pytest.raises(UsageError, match="was not written by appfleet prices"):
        standing_prices(out)
    assert out.read_text() == text


def test_links_folders_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("link", "bytes", "."):
        with pytest.raises(UsageError, match="was not written by appfleet prices"):
            standing_prices(tmp_path / name)
    assert standing_prices(None) == standing_prices(tmp_path / "new") == Standing()


def test_a_file_that_changed_while_the_list_was_read_is_left_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "prices.toml"
    put_prices(out, Standing(), [TABLE], DAY)
    standing = standing_prices(out)
    out.write_text("# mine\n")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        put_prices(out, standing, [TABLE], DAY)
    with pytest.raises(UsageError, match="was created meanwhile"):
        put_prices(out, Standing(), [TABLE], DAY)
    assert out.read_text() == "# mine\n"
    out.unlink()
    with pytest.raises(UsageError, match="was changed meanwhile"):
        put_prices(out, standing, [TABLE], DAY)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_no_policy_may_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        put_prices(tmp_path / "p.toml", Standing(), [PriceTable("eu-west-1", {"ml.t3.medium": -1.0})], DAY)
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_the_text_alone_is_given() -> None:
    made = put_prices(None, Standing(), [TABLE], DAY)
    assert tomllib.loads(made.text) == {"prices": {"eu-west-1": TABLE.prices}}
    assert (made.tables, made.unpriced, made.is_read) == ((TABLE,), (), None)


@pytest.mark.parametrize(
    ("inside", "policies", "is_read"),
    [
        ("policies/prices.toml", "", True),
        ("policies/prices.test.toml", "", False),
        ("prices.toml", "", False),
        ("prices.toml", 'policies = ["policies/*.toml", "*s.toml"]\n', True),
        ("policies/prices.toml", 'policies = ["policies/mine.toml"]\n', False),
        ("../prices.toml", "", False),
    ],
)
def test_it_is_told_whether_a_run_will_read_the_file(
    fleet: Callable[..., Loaded], tmp_path: Path, inside: str, policies: str, *, is_read: bool
) -> None:
    loaded = fleet(text=FLEET.replace('name = "ml"\n', f'name = "ml"\n{policies}'))
    out = tmp_path / "policies" / ".." / inside
    assert put_prices(out, Standing(), [TABLE], DAY, loaded).is_read is is_read
    assert out.exists()


def test_a_price_that_another_policy_sets_is_not_set_again(fleet: Callable[..., Loaded], tmp_path: Path) -> None:
    loaded = fleet('[prices.eu-west-1]\n"ml.t3.medium" = 0.06\n')
    out = tmp_path / "policies" / "prices.toml"
    with pytest.raises(UsageError) as raised:
        put_prices(out, Standing(), [TABLE], DAY, loaded)
    assert 'prices.eu-west-1."ml.t3.medium" is set already at policies/mine.toml:2' in str(raised.value)
    assert not out.exists()
    put_prices(tmp_path / "prices.toml", Standing(), [TABLE], DAY, loaded)  # no run reads this one


def test_the_fleets_folder_may_be_reached_through_a_link(fleet: Callable[..., Loaded], tmp_path: Path) -> None:
    fleet('[prices.eu-west-1]\n"ml.t3.medium" = 0.06\n')
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    loaded = load(tmp_path / "link" / "fleet.toml", DAY)
    out = tmp_path / "policies" / "prices.toml"
    with pytest.raises(UsageError, match=r"is set already at policies/mine\.toml:2"):
        put_prices(out, Standing(), [TABLE], DAY, loaded)
    assert put_prices(out, Standing(), [PriceTable("eu-west-1", {"ml.m5.large": 1.0})], DAY, loaded).is_read


def test_a_file_that_reads_back_otherwise_is_a_bug_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = load_policies((), tmp_path)
    monkeypatch.setattr("engine.app.prices.load_policies", lambda *_: empty)
    with pytest.raises(BugError, match="reads back otherwise"):
        put_prices(tmp_path / "p.toml", Standing(), [TABLE], DAY)
    assert list(tmp_path.iterdir()) == []


def test_what_stands_already_does_not_disagree_with_what_takes_its_place(
    fleet: Callable[..., Loaded], tmp_path: Path
) -> None:
    out = tmp_path / "policies" / "prices.toml"
    put_prices(out, Standing(), [TABLE], DAY, fleet())
    made = put_prices(out, standing_prices(out), [replace(TABLE, prices={"ml.t3.medium": 0.07})], DAY, fleet())
    assert tomllib.loads(made.text)["prices"]["eu-west-1"] == {"ml.t3.medium": 0.07}
    # What the list no longer has is not priced by what stood there.
    assert Unpriced("eu-west-1", "ml.m5.large", 1) in made.unpriced


def test_types_of_the_fleet_without_a_price_are_named_in_the_regions_that_were_asked_about(
    fleet: Callable[..., Loaded], tmp_path: Path
) -> None:
    made = put_prices(None, Standing(), [TABLE], DAY, fleet())
    assert made.unpriced == (
        Unpriced("eu-west-1", "Canvas", 2),
        Unpriced("eu-west-1", "ml.g8.large", 1),
        Unpriced("eu-west-1", "ml.g9.large", 1),
    )
    by_hand = '[prices]\nCanvas = 1.9\n"ml.g8.large" = 2\n[prices.eu-west-1]\n"ml.g9.large" = 3\n"ml.m5.large" = 9\n'
    assert put_prices(tmp_path / "elsewhere.toml", Standing(), [TABLE], DAY, fleet(by_hand)).unpriced == ()
