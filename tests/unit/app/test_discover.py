"""`discover` over loopback HTTP: accounts of an organization, their domains, and a table that no failure shrinks."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from engine.adapters.aws.organization import organization_region
from engine.app.discover import Discovered, Discovery, discover
from engine.app.options import AppOptions
from engine.config.fleet.fleet_file import load_fleet
from engine.core.errors import CloudError, ScanIncomplete, UsageError
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT
from tests.object_server import object_server
from tests.unit.adapters.aws.hostile import Request, desired, error, hostile, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OWN = "000000000001"
XML = "Content-Type: text/xml"
KEY = re.compile(r"Credential=([A-Z0-9]+)/[0-9]+/([a-z0-9-]+)/")
REGIONS = ("eu-west-1", "us-east-1")


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower()


@dataclass(slots=True)
class World:
    """Accounts with their states and domains, and what is refused. Listings have a page for each row."""

    accounts: dict[str, str] = field(default_factory=lambda: {OWN: "ACTIVE", "000000000002": "ACTIVE"})
    domains: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    units: dict[str, list[str]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    no_organization: bool = False
    external_ids: list[str | None] = field(default_factory=list)  # that AssumeRole was sent
    calls: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    at_once_most: int = 0

    async def answer(self, request: Request) -> bytes:
        found = KEY.search(request.headers["authorization"])
        assert found is not None
        if b"Action=" in request.body:
            return self._sts({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        self.calls[request.operation] += 1
        asked = json.loads(request.body)
        account = found[1].removeprefix("ASIA") if found[1].startswith("ASIA") else OWN
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            answer: bytes = getattr(self, _snake(request.operation))(asked, account, found[2])
            return answer
        finally:
            self.at_once -= 1

    def _sts(self, asked: dict[str, str]) -> bytes:
        if asked["Action"] == "GetCallerIdentity":
            fields = f"<Account>{OWN}</Account><Arn>arn:aws:iam::{OWN}:user/x</Arn><UserId>x</UserId>"
            name = asked["Action"]
            return http(f"<{name}Response><{name}Result>{fields}</{name}Result></{name}Response>".encode(), 200, XML)
        account = asked["RoleArn"].split(":")[4]
        self.external_ids.append(asked.get("ExternalId"))
        assert asked["RoleArn"] == f"arn:aws:iam::{account}:role/appfleet"
        if (account, "sts") in self.refused:
            body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
            return http(body.encode(), 403, XML)
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        arn = f"arn:aws:sts::{account}:assumed-role/appfleet/appfleet"
        body = (
            f"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{account}</AccessKeyId>"
            f"<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{ends}"
            f"</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:a</AssumedRoleId><Arn>{arn}</Arn>"
            "</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        )
        return http(body.encode(), 200, XML)

    def _page(self, name: str, rows: list[Any], asked: dict[str, Any]) -> bytes:
        at = int(asked.get("NextToken", "0"))
        body: dict[str, Any] = {name: rows[at : at + 1]}
        if at + 1 < len(rows):
            body["NextToken"] = str(at + 1)
        return http(json.dumps(body).encode())

    def _accounts(self, names: list[str]) -> list[dict[str, str]]:
        return [{"Id": one, "Name": f"n{one}", "Status": self.accounts[one]} for one in names]

    def list_accounts(self, asked: dict[str, Any], account: str, region: str) -> bytes:
        assert (account, region) == (OWN, "us-east-1")
        if self.no_organization:
            return error("AWSOrganizationsNotInUseException", "Your account is not a member of an organization")
        return self._page("Accounts", self._accounts(sorted(self.accounts)), asked)

    def list_accounts_for_parent(self, asked: dict[str, Any], *_: str) -> bytes:
        names = [one for one in self.units[asked["ParentId"]] if one in self.accounts]
        return self._page("Accounts", self._accounts(names), asked)

    def list_organizational_units_for_parent(self, asked: dict[str, Any], *_: str) -> bytes:
        names = [one for one in self.units[asked["ParentId"]] if one not in self.accounts]
        return self._page("OrganizationalUnits", [{"Id": one} for one in names], asked)

    def list_tags_for_resource(self, asked: dict[str, Any], *_: str) -> bytes:
        return self._tags(asked, asked["ResourceId"])

    def list_tags(self, asked: dict[str, Any], *_: str) -> bytes:
        return self._tags(asked, asked["ResourceArn"].rpartition("/")[2])

    def _tags(self, asked: dict[str, Any], of: str) -> bytes:
        rows = [{"Key": key, "Value": value} for key, value in self.tags.get(of, {}).items()]
        return self._page("Tags", rows, asked)

    def list_domains(self, asked: dict[str, Any], account: str, region: str) -> bytes:
        if (account, region) in self.refused:
            return error("AccessDeniedException", "is not authorized")
        rows = [
            {
                "DomainId": domain, "DomainName": "studio", "Status": "Deleting" if "gone" in domain else "InService",
                "DomainArn": f"arn:aws:sagemaker:{region}:{account}:domain/{domain}",
            }
            for domain in self.domains.get((account, region), [])
        ]  # fmt: skip
        return self._page("Domains", rows, asked)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIAOWN"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_CONFIG_FILE", "none")):
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def serving(world: World, folder: Path) -> AsyncIterator[AppOptions]:
    async with hostile(world.answer) as server:
        yield AppOptions(folder / "fleet.toml", endpoint_url=server.url)


async def found(world: World, folder: Path, *, check: bool = False, **more: Any) -> Discovered:
    asked = Discovery(**{"regions": REGIONS, "organization": True, "role": "appfleet", **more})
    async with serving(world, folder) as options:
        return await discover(options, asked, folder / "accounts.csv", lambda _: None, check=check)


def a_world() -> World:
    world = World()
    world.accounts |= {f"{number:012}": "ACTIVE" for number in range(3, 30)} | {"000000000099": "SUSPENDED"}
    world.domains = {
        (OWN, "eu-west-1"): ["d-own", "d-gone"],
        ("000000000002", "us-east-1"): ["d-b", "d-a"],
        ("000000000099", "us-east-1"): ["d-closed"],
    }
    return world


async def test_the_domains_of_all_active_accounts_are_a_table_that_a_fleet_reads(tmp_path: Path) -> None:
    world = a_world()
    made = await found(world, tmp_path)
    assert (
        (tmp_path / "accounts.csv").read_text()
        == made.table.text
        == (
            "name,id,region,account\n"
            "studio,d-own,eu-west-1,000000000001\n"
            "studio-000000000002,d-a,us-east-1,000000000002\n"
            "d-b,d-b,us-east-1,000000000002\n"
        )
    )
    assert (made.differs, made.table.gone, len(made.table.added)) == (True, (), 3)
    assert 1 < world.at_once_most <= CONNECT_PARALLEL_MAX_COUNT
    assert set(world.external_ids) == {None}
    (tmp_path / "fleet.toml").write_text(
        'schema = 1\nname = "wide"\npolicies = []\n[[domains_from]]\ncsv = "accounts.csv"\ntemplate = "studio"\n'
        '[templates.studio]\nrole_arn = "arn:aws:iam::{account}:role/appfleet"\n'
    )
    assert load_fleet(tmp_path / "fleet.toml").domains == ("d-b", "studio", "studio-000000000002")


async def test_an_external_id_is_sent_with_each_role(tmp_path: Path) -> None:
    world = a_world()
    await found(world, tmp_path, external_id="tenant:7")
    assert set(world.external_ids) == {"tenant:7"}


async def test_rows_keep_what_people_wrote_and_order_and_names_do_not_change(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text(
        "name,id,region,account,size\nprod,d-a,us-east-1,000000000002,large\nold,d-old,us-east-1,000000000002,small\n"
    )
    made = await found(a_world(), tmp_path)
    assert made.table.text == (
        "name,id,region,account,size\n"
        "studio,d-own,eu-west-1,000000000001,\n"
        "prod,d-a,us-east-1,000000000002,large\n"
        "studio-000000000002,d-b,us-east-1,000000000002,\n"
    )
    assert made.table.gone == (("000000000002", "us-east-1", "d-old"),)
    again = await found(a_world(), tmp_path, check=True)
    assert not again.differs


async def test_a_check_writes_nothing(tmp_path: Path) -> None:
    made = await found(a_world(), tmp_path, check=True)
    assert made.differs
    assert not (tmp_path / "accounts.csv").exists()


@pytest.mark.parametrize("refused", [("000000000002", "us-east-1"), ("000000000002", "sts")])
async def test_an_account_that_cannot_be_listed_is_named_and_nothing_is_written(
    tmp_path: Path, refused: tuple[str, str]
) -> None:
    await found(a_world(), tmp_path)
    before = (tmp_path / "accounts.csv").read_text()
    world = a_world()
    world.refused.add(refused)
    with pytest.raises(
        ScanIncomplete, match=r"could not be listed, so nothing was written: .*account 000000000002, "
    ) as caught:
        await found(world, tmp_path)
    assert "--keep-unreadable" in caught.value.hint
    assert (tmp_path / "accounts.csv").read_text() == before
    kept = await found(world, tmp_path, keep_unreadable=True)
    assert (kept.table.text, kept.table.gone) == (before, ())
    assert all(failure.startswith("account 000000000002, region ") for failure in kept.failures)


async def test_units_and_tags_narrow_accounts_and_domains(tmp_path: Path) -> None:
    world = a_world()
    world.units = {"ou-1": ["000000000002", "ou-2"], "ou-2": [OWN], "ou-3": ["000000000099"]}
    world.tags = {OWN: {"team": "ml", "x": "y"}, "d-a": {"studio": "yes"}, "d-own": {"studio": "no", "b": ""}}
    assert (await found(world, tmp_path, units=("ou-1",), check=True)).table.rows == 3
    assert (await found(world, tmp_path, units=("ou-2",), check=True)).table.rows == 1
    assert (await found(world, tmp_path, units=("ou-3",), check=True)).table.rows == 0
    assert (await found(world, tmp_path, account_tags=(("team", "ml"),), check=True)).table.rows == 1
    made = await found(world, tmp_path, domain_tags=(("studio", "yes"),), check=True)
    assert [place[2] for place in made.table.added] == ["d-a"]


async def test_without_an_organization_the_callers_own_account_is_listed(tmp_path: Path) -> None:
    world = a_world()
    made = await found(world, tmp_path, organization=False, role="")
    assert made.table.added == ((OWN, "eu-west-1", "d-own"),)
    assert not world.calls["ListAccounts"]


async def test_an_organization_that_cannot_be_listed_is_one_error(tmp_path: Path) -> None:
    world = a_world()
    world.no_organization = True
    with pytest.raises(CloudError, match="Your account is not a member of an organization"):
        await found(world, tmp_path)


@pytest.mark.parametrize(
    ("data", "said"), [(b"\xff", "is not UTF-8"), (b"user\nx\n", "accounts.csv:1: the first line")]
)
async def test_a_file_that_is_no_table_of_domains_is_not_written_over(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "accounts.csv").write_bytes(data)
    with pytest.raises(UsageError, match=said):
        await found(a_world(), tmp_path)
    (tmp_path / "accounts.csv").unlink()
    (tmp_path / "accounts.csv").mkdir()
    with pytest.raises(UsageError):
        await found(a_world(), tmp_path)


async def test_the_calls_are_those_of_an_organization(tmp_path: Path) -> None:
    """Against a server that knows Organizations, so that names and forms are not ours alone."""
    from engine.adapters.aws.sessions import Clouds
    from engine.adapters.aws.signing import signed_by

    del tmp_path
    with object_server() as url:
        async with Clouds(endpoint_url=url) as clouds:
            calls = await clouds.organization(desired())
            client = calls._organizations
            with signed_by(calls._credentials):
                root = (await client.list_roots())["Roots"][0]["Id"]
                unit = await client.create_organizational_unit(
                    ParentId=root, Name="ml", Tags=[{"Key": "team", "Value": "ml"}]
                )
            page = await calls.list_accounts()
            assert {one.state for one in page.accounts} == {"ACTIVE"}
            assert (await calls.accounts_of(root)).accounts == page.accounts
            (made,) = (await calls.units_of(root)).units
            assert made == unit["OrganizationalUnit"]["Id"]
            assert (await calls.tags_of(made)).tags == {"team": "ml"}


def test_organizations_is_asked_in_the_home_of_the_partition() -> None:
    homes = [organization_region(region) for region in ("eu-west-1", "cn-north-1", "us-gov-east-1")]
    assert homes == ["us-east-1", "cn-northwest-1", "us-gov-west-1"]
