"""Before anything is listed: endpoints that nobody listens at, proxies, certificates, and whose endpoint it is."""

from __future__ import annotations

import asyncio
import html
import json
import shlex
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.limits import REFUSED_RETRY_MAX_SECONDS
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, OTHER_DOMAIN_ID, PROCESS_MAX_SECONDS, fleet_text, people
from tests.e2e.test_exit_codes import free_port
from tests.tls_lab import AWS_HOSTS, Authority
from tests.unit.adapters.aws.hostile import hostile, http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.harness import Place
    from tests.unit.adapters.aws.hostile import Hostile

REGIONS = ("eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2")


@contextmanager
def serving(context: object = None, host: str = "127.0.0.1") -> Iterator[Hostile]:
    """Serve on loopback, in a thread of its own, whatever a process sends."""
    ready, done = threading.Event(), None
    found: list[Hostile] = []

    async def serve() -> None:
        nonlocal done
        done = asyncio.Event()
        async with hostile(http(b"{}"), context=context, host=host) as server:  # type: ignore[arg-type]
            found.append(server)
            loops.append(asyncio.get_running_loop())
            ready.set()
            await done.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(PROCESS_MAX_SECONDS)
    try:
        yield found[0]
    finally:
        assert done is not None
        loops[0].call_soon_threadsafe(done.set)
        thread.join(PROCESS_MAX_SECONDS)


def five_regions(place: Place) -> None:
    """Write a fleet of a domain in each of five regions."""
    domains = "".join(
        f'[domains.d{number}]\nid = "d-{number:012}"\nregion = "{region}"\n'
        f'[domains.d{number}.users.zoe]\napps = [{{ type = "Canvas" }}]\n'
        for number, region in enumerate(REGIONS)
    )
    (place.folder / "fleet.toml").write_text(f'schema = 1\nname = "e2e"\n{domains}')


@pytest.mark.parametrize("command", ["plan", "status"])
def test_an_endpoint_that_nobody_listens_at_is_named_once_with_all_domains(place: Place, command: str) -> None:
    """Each lane is asked once, all at the same time, and one sentence tells what, where, why and what to do."""
    five_regions(place)
    port = free_port()
    ran = place.run(command, "--endpoint-url", f"http://127.0.0.1:{port}")
    assert ran.code == 1
    assert ran.events("call.retried") == []
    assert (
        f"error AF410: Cannot connect to http://127.0.0.1:{port} (connection refused), "
        "needed for domains d0, d1, d2, d3, d4"
    ) in " ".join(ran.err.split())
    assert "Check --endpoint-url / AWS_ENDPOINT_URL, the network and the proxy" in " ".join(ran.err.split())
    assert "sent" not in ran.err


def test_an_explanation_that_leaves_out_what_will_be_done_says_so_on_standard_error(place: Place) -> None:
    place.write(fleet_text(["zoe"]))
    port = free_port()
    key = "research/space/zoe-lab/JupyterLab/default"
    ran = place.run("explain", key, "--endpoint-url", f"http://127.0.0.1:{port}")
    assert ran.code == 1
    assert (
        f"appfleet: cannot tell what appfleet will do with {key}: Cannot connect to http://127.0.0.1:{port}" in ran.err
    )


def test_a_name_that_does_not_exist_is_named(place: Place) -> None:
    ran = place.run("plan", "--endpoint-url", "https://sagemaker.nowhere.invalid")
    assert ran.code == 1
    assert ran.events("call.retried") == []
    told = " ".join(ran.err.split())
    assert (
        "Cannot connect to https://sagemaker.nowhere.invalid (host name not found), needed for domain research" in told
    )


def test_an_apply_waits_a_short_while_for_somebody_to_listen(place: Place) -> None:
    assert REFUSED_RETRY_MAX_SECONDS == 10.0
    (place.folder / "policies" / "execution.toml").write_text('[backoff.transient]\ninitial = "10ms"\nmax = "20ms"\n')
    port = free_port()
    with place.start("apply", "--yes", AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}") as running:
        ran = running.end()
    assert ran.code == 1
    assert len(ran.events("call.retried")) > 1
    assert f"Cannot connect to http://127.0.0.1:{port} (connection refused)" in " ".join(ran.err.split())


def test_an_endpoint_that_many_profiles_need_is_named_once_at_the_first_attempt(place: Place) -> None:
    """Each profile told of each of its attempts, and no word said who needed the endpoint."""
    five_regions(place)
    (place.folder / "policies" / "execution.toml").write_text('[backoff.transient]\ninitial = "10ms"\nmax = "20ms"\n')
    fleet = (place.folder / "fleet.toml").read_text()
    profiles = ""
    for number, region in enumerate(REGIONS):
        fleet = fleet.replace(f'region = "{region}"', f'region = "{region}"\nprofile = "p{number}"')
        profiles += f"[profile p{number}]\naws_access_key_id = AKIA{number:016}\naws_secret_access_key = canary-key\n"
    (place.folder / "fleet.toml").write_text(fleet)
    (place.folder / "config").write_text(profiles)
    port = free_port()
    with place.start(
        "apply", "--yes", AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_CONFIG_FILE=str(place.folder / "config")
    ) as running:
        ran = running.end()
    assert ran.code == 1
    (said,) = ran.events("lane.endpoint_unreachable")
    assert said["message"] == f"Cannot connect to http://127.0.0.1:{port} (connection refused)"
    assert (said["domains"], said["count"]) == (["d0", "d1", "d2", "d3", "d4"], 5)
    attempts = [event["attempt"] for event in ran.events("call.retried")]
    assert attempts == list(range(1, len(attempts) + 1)), "one profile alone tells of its attempts"
    assert "needed for domains d0, d1, d2, d3, d4" in " ".join(ran.err.split())


def test_loopback_is_reached_whatever_the_proxy_variables_say(place: Place) -> None:
    with serving() as proxy:
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        variables: dict[str, Any] = dict.fromkeys(names, proxy.url)
        assert place.apply("--no-wait", **variables).code == 0
        assert place.run("plan", "--simulate", "--format", "json", **variables).code == 0
        assert proxy.connections == 0


def test_a_simulation_needs_nothing_of_this_machine_s_aws_configuration(place: Place) -> None:
    (place.folder / "broken").write_text("[profile x\n=")
    ran = place.run(
        "plan",
        "--simulate",
        "--format",
        "json",
        AWS_PROFILE="nobody",
        AWS_DEFAULT_PROFILE="nobody",
        AWS_CONFIG_FILE=str(place.folder / "broken"),
        AWS_CA_BUNDLE="/missing.pem",
        AWS_USE_FIPS_ENDPOINT="true",
        AWS_USE_DUALSTACK_ENDPOINT="true",
        AWS_ENDPOINT_URL="http://localstack:4566",
        AWS_ACCESS_KEY_ID="AKIA\n",
    )
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")])
def test_https_to_a_server_that_speaks_plain_http_ends_at_once(place: Place, command: tuple[str, ...]) -> None:
    """The endpoint of the simulator with one letter too many."""
    ran = place.run(*command, AWS_ENDPOINT_URL=place.url.replace("http:", "https:"))
    assert ran.code == 1
    assert ran.events("call.retried") == []
    assert place.calls() == {}
    told = " ".join(ran.err.split())
    assert "error AF414: Cannot connect securely to" in told
    assert "the server does not speak TLS on this port" in told


@pytest.mark.parametrize("lie", ["other host", "unknown authority"])
def test_a_certificate_that_cannot_be_verified_ends_the_run_at_once(place: Place, tmp_path: Path, lie: str) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    liar = ours.issue("evil.example") if lie == "other host" else theirs.issue("localhost")
    with serving(liar.server(), "localhost") as server:
        ran = place.apply(AWS_ENDPOINT_URL=server.url, AWS_CA_BUNDLE=str(ours.bundle), REQUESTS_CA_BUNDLE="")
        assert server.requests == []
    assert ran.code == 1
    assert ran.events("call.retried") == []
    told = " ".join(ran.err.split())
    assert f"error AF414: Cannot trust the certificate of localhost:{server.port}" in told
    assert f"{ours.bundle} (AWS_CA_BUNDLE), needed for domain research" in told


def test_a_man_in_the_middle_behind_a_proxy_gets_nothing(place: Place, tmp_path: Path) -> None:
    """The proxy here speaks TLS itself, and cannot prove who it is: not even the name of a host is told to it."""
    theirs = Authority(tmp_path, "theirs")
    with serving(theirs.issue("localhost", *AWS_HOSTS).server(), "localhost") as proxy:
        ran = place.apply(AWS_ENDPOINT_URL="", HTTPS_PROXY=proxy.url)
        assert proxy.requests == []
    assert ran.code == 1
    assert ran.events("call.retried") == []
    assert "error AF414: Cannot trust the certificate of localhost" in " ".join(ran.err.split())


def test_keys_that_cannot_be_sent_are_named_at_once(place: Place) -> None:
    ran = place.apply(AWS_SESSION_TOKEN="canary-token-0123456789\r\n")
    assert ran.code == 1
    assert ran.events("call.retried") == []
    assert place.calls() == {}
    told = " ".join(ran.err.split())
    assert "error AF409: AWS_SESSION_TOKEN contains a line break (for domain research)" in told
    assert "Nothing was sent" in told
    assert "canary-token" not in ran.err + ran.out + ran.log


def test_an_endpoint_that_is_not_aws_s_own_is_named_wherever_the_run_is_told(place: Place) -> None:
    (warned,) = place.run("plan").events("lane.endpoint_noticed")
    assert (warned["level"], warned["endpoint"], warned["lane"]) == ("warning", place.url, f"{ACCOUNT}/eu-west-1")
    ran = place.apply("--no-wait")
    assert ran.report["lanes"] == [{"account": ACCOUNT, "region": "eu-west-1", "endpoint": place.url}]
    told = f"Calls for account {ACCOUNT}, region eu-west-1 go to {place.url}, which is not an AWS endpoint"
    assert told in ran.report["notes"]
    assert len(ran.events("lane.endpoint_noticed")) == 1
    for form in ("text", "markdown"):
        shown = html.unescape(place.run("apply", "--yes", "--format", form, "--no-wait").out)
        assert told in " ".join(shown.replace("`", "").replace("<code>", "").replace("</code>", "").split())
        assert place.url in html.unescape(place.run("plan", "--format", form).out)
    assert place.run("report", "--out", "page.html", log=False).code == 0
    assert told in html.unescape((place.folder / "page.html").read_text())


def test_a_simulated_world_is_no_foreign_endpoint(place: Place) -> None:
    ran = place.apply("--simulate", "--no-wait")
    assert ran.events("lane.endpoint_noticed") == []
    assert "not an AWS endpoint" not in ran.out


def test_import_takes_the_region_of_the_environment(place: Place) -> None:
    asked = ("import", "--domain-id", DOMAIN_ID)
    ran = place.run(*asked, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="us-east-1")
    assert (ran.code, 'region = "eu-west-1"' in ran.out) == (0, True), ran.err
    (place.folder / "config").write_text("[default]\nregion = eu-west-1\n")
    assert place.run(*asked, AWS_CONFIG_FILE=str(place.folder / "config")).code == 0
    ran = place.run(*asked)
    assert ran.code == 64
    assert "--region" in ran.err
    assert "AWS_REGION" in ran.err


def test_a_domain_that_is_reached_does_not_wait_for_one_that_is_not(place: Place) -> None:
    """What is wrong with one login is its domain's; the other domain is done."""
    other = (
        '[domains.other]\nid = "d-wxyz9876stuv"\nregion = "us-east-1"\nprofile = "nobody"\n'
        '[domains.other.users.zoe]\napps = [{ type = "Canvas" }]\n'
    )
    place.write(fleet_text(people(2), more=other))
    ran = place.apply("--no-wait")
    assert ran.code == 1
    assert ran.report["summary"] == {"created": 2, "skipped": 1}
    assert "names the AWS profile nobody" in json.dumps(ran.report["errors"])


OTHER_ACCOUNT = "999988887777"
IN_ANOTHER_ACCOUNT = f"""[domains.other]
id = "{OTHER_DOMAIN_ID}"
region = "us-east-1"
account = "{OTHER_ACCOUNT}"
[domains.other.users.zoe]
apps = [{{ type = "Canvas" }}]
"""
TOLD = f"domain other (fleet.toml:13) is in account {OTHER_ACCOUNT}, and the credentials are of account {ACCOUNT}"


def test_a_domain_of_another_account_is_left_alone_and_the_others_run(place: Place) -> None:
    """Row 57: one typing error among many accounts ended the whole run before anything was called."""
    place.write(fleet_text(people(2), more=IN_ANOTHER_ACCOUNT))
    ran = place.apply("--no-wait")
    assert ran.code == 1
    assert ran.report["summary"] == {"created": 2, "skipped": 1}
    assert ran.report["lanes"] == [{"account": ACCOUNT, "region": "eu-west-1", "endpoint": place.url}]
    assert [(error["code"], TOLD in error["message"]) for error in ran.report["errors"]] == [("AF503", True)]
    (skipped,) = (app for app in ran.report["apps"] if app["outcome"] == "skipped")
    assert (skipped["key"], skipped["error"]["code"]) == ("other/user/zoe/Canvas/default", "domain_unlisted")
    assert (ran.events("run.finished")[0]["exit_code"], TOLD in ran.events("run.finished")[0]["message"]) == (1, True)
    assert TOLD in " ".join(ran.err.split())
    assert place.calls()["ListApps"]["ok"] == 1, "the other domain was not listed with these credentials"
    assert place.run("report", "--out", "page.html", log=False).code == 0
    assert TOLD in html.unescape((place.folder / "page.html").read_text())


@pytest.mark.parametrize("command", ["plan", "status", "apply"])
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_domain_of_another_account_is_named_in_every_form(place: Place, command: str, form: str) -> None:
    place.write(fleet_text(people(2), more=IN_ANOTHER_ACCOUNT))
    yes = ["--yes", "--no-wait"] if command == "apply" else []
    ran = place.run(command, *yes, "--format", form)
    assert ran.code == 1
    assert TOLD in " ".join(html.unescape(ran.out).split())
    assert TOLD in " ".join(ran.err.split())


@pytest.mark.parametrize("command", [["plan"], ["status"], ["apply", "--yes"], ["plan", "--simulate"]])
def test_too_few_open_files_are_said_with_the_limit_to_raise(place: Place, command: list[str]) -> None:
    line = shlex.join(place.command(*command))
    ran = subprocess.run(
        ["sh", "-c", f"ulimit -n 8; exec {line}"],
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=PROCESS_MAX_SECONDS,
        check=False,
    )
    assert ran.returncode == 1
    told = " ".join(ran.stderr.split())
    assert "AF505" in told
    assert "This process may open 8 files, and appfleet needs at least 64" in told
    assert "ulimit -n" in told
    assert "Traceback" not in told
    assert place.calls() == {}


NOT_THERE = """[domains.other]
id = "d-zzzz9999zzzz"
region = "eu-west-1"
[domains.other.users.zoe]
apps = [{ type = "Canvas" }]
"""


@pytest.mark.parametrize(
    ("more", "code"), [(IN_ANOTHER_ACCOUNT, "AF503"), (NOT_THERE, "ResourceNotFound")], ids=["account", "id"]
)
def test_one_fault_of_a_domain_has_one_code_and_one_text_everywhere(place: Place, more: str, code: str) -> None:
    place.write(fleet_text(people(1)))
    (place.folder / "fleet.toml").write_text(fleet_text(people(1), more=more))  # the world has one domain
    told: dict[str, dict[str, str]] = {}
    for command in ("plan", "status", "apply"):
        ran = place.run(command, *(["--yes"] if command == "apply" else []), "--format", "json")
        (told[command],) = json.loads(ran.out)["errors"]
        assert told[command]["code"] == code
        assert told[command]["message"].count("domain other") == 1
        (end,) = (line for line in ran.events("run.finished") or [{"code": code, "message": told[command]["message"]}])
        assert (end["code"], end["message"]) == (code, told[command]["message"])
    assert told["plan"] == told["status"] == told["apply"]
