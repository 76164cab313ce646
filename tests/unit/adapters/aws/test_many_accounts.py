"""Many accounts through one client: every call is signed with the keys of its own account, and with no others."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from botocore import configloader

from engine.adapters.aws.sessions import Clouds
from engine.core.desired import AppSpec
from engine.core.errors import AccessDenied, BugError, CredentialsFailed
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT
from engine.ports.cloud import AppName, Caller
from tests.unit.adapters.aws.conftest import ACCESS_KEY
from tests.unit.adapters.aws.hostile import FAST_TIMES, Request, desired, error, free_port, hostile, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.adapters.aws.sagemaker import SageMakerCloud

ACCOUNTS = [f"{number:012}" for number in range(100, 140)]
XML = "Content-Type: text/xml"
_KEY = re.compile(r"Credential=([A-Z0-9]+)/")


def role_of(account: str) -> str:
    return f"arn:aws:iam::{account}:role/provisioner"


def domain_of(account: str) -> str:
    return f"d-{account}"


@dataclass(slots=True)
class Accounts:
    """The service of many accounts. `wrong` lists each call whose keys are not of the account of its domain."""

    lasts: timedelta = timedelta(hours=9)
    generations: dict[str, int] = field(default_factory=dict)
    reached: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    assuming: int = 0
    assuming_most: int = 0
    refused: frozenset[str] = frozenset()
    names_callers: bool = True
    throttles: int = 0  # of each account, so many answers
    throttled: Counter[str] = field(default_factory=Counter)
    rng: random.Random = field(default_factory=lambda: random.Random(14))

    async def answer(self, request: Request) -> bytes:
        for _ in range(self.rng.randrange(12)):
            await asyncio.sleep(0)
        found = _KEY.search(request.headers["authorization"])
        assert found is not None
        if b"Action=" in request.body:
            return await self._sts(request, found[1])
        asked = json.loads(request.body)["DomainId" if request.operation == "CreateApp" else "DomainIdEquals"]
        account = asked.removeprefix("d-")
        token = request.headers.get("x-amz-security-token", "")
        if not found[1].startswith(f"ASIA{account}") or token != f"token-of-{found[1]}":
            self.wrong.append(f"{request.operation} of {account} with {found[1]} and {token}")
        self.reached.append(account)
        if request.operation == "CreateApp":
            arn = f"arn:aws:sagemaker:eu-west-1:{account}:app/{asked}/zoe/canvas/default"
            return http(json.dumps({"AppArn": arn}).encode())
        return http(b'{"Apps":[]}')

    async def _sts(self, request: Request, key: str) -> bytes:
        asked = parse_qs(request.body.decode())
        if asked["Action"] == ["GetCallerIdentity"]:
            self.reached.append("caller")
            return http(
                b"<R><GetCallerIdentityResult><Arn>arn:aws:iam::999999999999:user/ops</Arn>"
                b"<Account>999999999999</Account></GetCallerIdentityResult></R>",
                200,
                XML,
            )
        if key != ACCESS_KEY:
            self.wrong.append(f"{asked['RoleArn']} assumed with {key}")
        account = asked["RoleArn"][0].split(":")[4]
        self.assuming += 1
        self.assuming_most = max(self.assuming_most, self.assuming)
        for _ in range(20):
            await asyncio.sleep(0)
        self.assuming -= 1
        if self.throttled[account] < self.throttles:
            self.throttled[account] += 1
            return http(b"<E><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></E>", 400)
        if account in self.refused:
            return http(b"<E><Error><Code>AccessDenied</Code><Message>no</Message></Error></E>", 403)
        self.generations[account] = generation = self.generations.get(account, 0) + 1
        return http(self._assumed(account, f"ASIA{account}{generation:06}"), 200, XML)

    def _assumed(self, account: str, key: str) -> bytes:
        ends = (datetime.now(UTC) + self.lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
        user = f"<Arn>arn:aws:sts::{account}:assumed-role/provisioner/appfleet</Arn>" if self.names_callers else ""
        return (
            f"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>"
            f"<SecretAccessKey>secret-of-{key}</SecretAccessKey><SessionToken>token-of-{key}</SessionToken>"
            f"<Expiration>{ends}</Expiration></Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
            "</AssumeRoleResult></AssumeRoleResponse>"
        ).encode()


@asynccontextmanager
async def connected(service: Accounts, **options: object) -> AsyncIterator[dict[str, SageMakerCloud]]:
    """Yield a cloud for each account, by account."""
    async with hostile(service.answer) as server:
        settings: dict[str, object] = {"endpoint_url": server.url, "gate_times": FAST_TIMES, **options}
        async with Clouds(**settings) as clouds:  # type: ignore[arg-type]
            first = await clouds.connect(desired(role_arn=role_of(ACCOUNTS[0])))

            async def pause(**_about: object) -> None:
                for _ in range(service.rng.randrange(6)):
                    await asyncio.sleep(0)

            for client in (first._sagemaker, first._sts):  # a library that lets others go first before it signs
                client.meta.events.register("before-sign", pause)
            made = [clouds.connect(desired(role_arn=role_of(account))) for account in ACCOUNTS]
            yield dict(zip(ACCOUNTS, await asyncio.gather(*made), strict=True))


async def list_own(cloud: SageMakerCloud, account: str) -> None:
    await cloud.list_apps(domain_of(account))


async def create_own(cloud: SageMakerCloud, account: str) -> None:
    name = AppName(domain_of(account), "user", "zoe", "Canvas", "default")
    assert f":{account}:" in await cloud.create_app(name, AppSpec(), ())


async def test_accounts_share_one_client_of_each_service() -> None:
    async with connected(Accounts()) as clouds:
        assert len({id(cloud._sagemaker) for cloud in clouds.values()}) == 1
        assert len({id(cloud._sts) for cloud in clouds.values()}) == 1


async def test_interleaved_calls_of_many_accounts_reach_their_own() -> None:
    """Each task works for several accounts in turn, as a run does that looks at one and creates in another."""
    service = Accounts()
    async with connected(service) as clouds:
        rng = random.Random(7)

        async def work() -> None:
            for account in rng.sample(ACCOUNTS, 12):
                await rng.choice((list_own, create_own))(clouds[account], account)

        await asyncio.gather(*(work() for _ in range(40)))
    assert service.wrong == []
    assert sorted(set(service.reached)) == ACCOUNTS
    assert len(service.reached) == 480


async def test_credentials_that_are_renewed_in_between_stay_with_their_account() -> None:
    """The keys last five minutes, so the library renews them each time that they are asked for."""
    service = Accounts(lasts=timedelta(minutes=5))
    async with connected(service) as clouds:
        for _ in range(2):
            await asyncio.gather(*(list_own(clouds[account], account) for account in ACCOUNTS[:20] * 2))
    assert service.wrong == []
    assert all(service.generations[account] > 3 for account in ACCOUNTS[:20]), (
        "they were renewed while calls were under way"
    )


async def test_a_call_that_is_cancelled_leaves_no_credentials_behind() -> None:
    """Wherever it is cut off, the next call of the same task is signed with its own account's keys."""
    service = Accounts(lasts=timedelta(minutes=5))
    async with connected(service) as clouds:
        rng = random.Random(3)

        async def work(first: str, second: str, turns: int) -> None:
            call = asyncio.current_task()
            assert call is not None
            loop = asyncio.get_running_loop()

            over: list[bool] = []

            def cut(left: int) -> None:
                if left:
                    loop.call_soon(cut, left - 1)
                elif not over:
                    call.cancel()

            cut(turns)
            try:
                await list_own(clouds[first], first)
                over.append(True)
            except asyncio.CancelledError:
                call.uncancel()
            over.append(True)
            await create_own(clouds[second], second)
            await list_own(clouds[first], first)

        pairs = [rng.sample(ACCOUNTS, 2) for _ in range(120)]
        await asyncio.gather(*(work(first, second, turns) for turns, (first, second) in enumerate(pairs)))
    assert service.wrong == []


async def test_a_call_in_nobody_s_name_is_not_sent() -> None:
    """There are credentials in the environment; they are the source's, and sign nothing by themselves."""
    service = Accounts()
    async with connected(service) as clouds:
        cloud = clouds[ACCOUNTS[0]]
        await list_own(cloud, ACCOUNTS[0])
        with pytest.raises(BugError, match="not signed and not sent"):
            await cloud._sagemaker.list_apps(DomainIdEquals=domain_of(ACCOUNTS[0]))
        with pytest.raises(BugError):
            await asyncio.create_task(cloud._sts.get_caller_identity())
    assert service.reached == [ACCOUNTS[0]]


async def test_so_many_roles_are_assumed_at_once_and_no_more() -> None:
    service = Accounts()
    async with connected(service):
        pass
    assert service.generations == dict.fromkeys(ACCOUNTS, 1)
    assert 1 < service.assuming_most <= CONNECT_PARALLEL_MAX_COUNT


async def test_a_role_that_sts_throttles_is_tried_again() -> None:
    """A thousand roles at once are more than STS takes; each of them was left alone then."""
    service = Accounts(throttles=3)
    async with connected(service):
        pass
    assert service.generations == dict.fromkeys(ACCOUNTS, 1)
    assert service.throttled == dict.fromkeys(ACCOUNTS, 3)


async def test_a_role_that_sts_throttles_for_too_long_is_a_failure_of_credentials() -> None:
    service = Accounts(throttles=10_000)
    times = replace(FAST_TIMES, throttled_max=0.1)
    async with hostile(service.answer) as server, Clouds(endpoint_url=server.url, gate_times=times) as clouds:
        with pytest.raises(CredentialsFailed, match="AssumeRole failed with Throttling: Rate exceeded"):
            await clouds.connect(desired(role_arn=role_of(ACCOUNTS[0])))
    assert service.throttled[ACCOUNTS[0]] > 1


async def test_who_a_role_is_is_read_from_the_answer_that_gave_its_keys() -> None:
    service = Accounts()
    async with connected(service) as clouds:
        callers = [await clouds[account].caller() for account in ACCOUNTS[:2]]
    assert callers == [
        Caller(account, f"arn:aws:sts::{account}:assumed-role/provisioner/appfleet") for account in ACCOUNTS[:2]
    ]
    assert service.reached == []


async def test_who_a_role_is_is_asked_where_the_answer_does_not_say() -> None:
    service = Accounts(names_callers=False)
    async with connected(service) as clouds:
        assert clouds[ACCOUNTS[0]].known_caller is None
        assert (await clouds[ACCOUNTS[0]].caller()).account == "999999999999"
    assert service.reached == ["caller"]


async def test_one_role_that_is_refused_keeps_no_other_out() -> None:
    service = Accounts(refused=frozenset(ACCOUNTS[:1]))
    async with hostile(service.answer) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        made = [clouds.connect(desired(role_arn=role_of(account))) for account in ACCOUNTS[:3]]
        first, *others = await asyncio.gather(*made, return_exceptions=True)
        assert isinstance(first, CredentialsFailed)
        assert not any(isinstance(other, BaseException) for other in others)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("Credentials>", "Nothing>", "it has no credentials"),
        ("SessionToken>", "Nothing>", "it has no credentials"),
        ("secret-of-ASIA000000000100000001", "", "not in the form"),
    ],
)
async def test_an_answer_without_usable_keys_is_a_failure_of_credentials(was: str, becomes: str, said: str) -> None:
    service = Accounts()

    async def odd(request: Request) -> bytes:
        body = (await service.answer(request)).partition(b"\r\n\r\n")[2]
        return http(body.replace(was.encode(), becomes.encode()), 200, XML)

    async with hostile(odd) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        with pytest.raises(CredentialsFailed, match=said):
            await clouds.connect(desired(role_arn=role_of(ACCOUNTS[0])))


async def test_a_denial_in_one_account_ends_calls_of_that_one_alone() -> None:
    service = Accounts()

    async def denies(request: Request) -> bytes:
        if ACCOUNTS[0].encode() in request.body and b"Action=" not in request.body:
            return error("AccessDeniedException", "not authorized to perform: sagemaker:ListApps")
        return await service.answer(request)

    async with hostile(denies) as server, Clouds(endpoint_url=server.url, gate_times=FAST_TIMES) as clouds:
        first, second = [await clouds.connect(desired(role_arn=role_of(account))) for account in ACCOUNTS[:2]]
        with pytest.raises(AccessDenied):
            await list_own(first, ACCOUNTS[0])
        await list_own(second, ACCOUNTS[1])


async def test_where_nobody_listens_a_thousand_roles_cost_a_few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[object] = []
    connect: Any = asyncio.BaseEventLoop.create_connection

    async def noting(self: asyncio.BaseEventLoop, *args: object, **more: object) -> object:
        attempts.append(args)
        return await connect(self, *args, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", noting)
    async with Clouds(endpoint_url=f"http://127.0.0.1:{free_port()}", gate_times=FAST_TIMES) as clouds:
        roles = [role_of(f"{number:012}") for number in range(1000)]
        errors = await asyncio.gather(
            *(clouds.connect(desired(role_arn=role)) for role in roles), return_exceptions=True
        )
    assert len({str(one) for one in errors if isinstance(one, CredentialsFailed)}) == 1
    assert len(errors) == 1000
    assert len(attempts) <= CONNECT_PARALLEL_MAX_COUNT


# What a profile sets besides its credentials shapes a client, so only equal profiles share one.

PROFILES = """
[profile plain]
aws_access_key_id = AKIAPLAINPLAIN123456
aws_secret_access_key = plain-secret
region = us-west-2
[profile alike]
aws_access_key_id = AKIAALIKEALIKE123456
aws_secret_access_key = alike-secret
output = json
[profile bundle]
aws_access_key_id = AKIABUNDLEBUNDLE1234
aws_secret_access_key = bundle-secret
ca_bundle = /etc/ssl/certs/ca-certificates.crt
[profile elsewhere]
aws_access_key_id = AKIAELSEWHERE1234567
aws_secret_access_key = elsewhere-secret
endpoint_url = {url}
[profile parts]
aws_access_key_id = AKIAPARTSPARTS123456
aws_secret_access_key = parts-secret
services = near
[services near]
sagemaker =
  endpoint_url = {url}
"""


async def test_profiles_share_a_client_only_where_all_that_shapes_it_is_equal(tmp_path: Path) -> None:
    async with hostile(http(b'{"Apps":[]}')) as near, hostile(http(b'{"Apps":[]}')) as far:
        (tmp_path / "config").write_text(PROFILES.replace("{url}", near.url))
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            made = {
                name: await clouds.connect(desired(profile=name))
                for name in ("plain", "alike", "bundle", "elsewhere", "parts")
            }
            assert made["plain"]._sagemaker is made["alike"]._sagemaker
            assert len({id(cloud._sagemaker) for cloud in made.values()}) == 4
            for name in ("elsewhere", "parts"):
                await made[name].list_apps("d-1")
            assert [_KEY.search(one.headers["authorization"])[1] for one in near.requests] == [  # type: ignore[index]
                "AKIAELSEWHERE1234567",
                "AKIAPARTSPARTS123456",
            ]
            assert made["plain"].endpoint == ""
            elsewhere = replace(desired(profile="plain"), region="eu-west-2")
            assert (await clouds.connect(elsewhere))._sagemaker is not made["plain"]._sagemaker
        assert far.requests == []


async def test_many_profiles_read_their_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a thousand profiles read the file of all of them, twice."""
    count = 30
    (tmp_path / "config").write_text(
        "".join(
            f"[profile p{number}]\naws_access_key_id = AKIA{number:016}\naws_secret_access_key = secret-{number}\n"
            for number in range(count)
        )
    )
    read: list[str] = []
    parse = configloader.raw_config_parse

    def noting(name: str, *args: Any, **more: Any) -> Any:
        read.append(name)
        return parse(name, *args, **more)

    monkeypatch.setattr(configloader, "raw_config_parse", noting)
    async with hostile(http(b'{"Apps":[]}')) as server, Clouds(endpoint_url=server.url) as clouds:
        for number in range(count):
            await (await clouds.connect(desired(profile=f"p{number}"))).list_apps("d-1")
        keys = [_KEY.search(one.headers["authorization"]) for one in server.requests]
        assert [found and found[1] for found in keys] == [f"AKIA{number:016}" for number in range(count)]
    assert len([name for name in read if name.endswith("config")]) == 1
