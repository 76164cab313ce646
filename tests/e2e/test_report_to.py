"""`--report-to`: what is kept of each run below a folder or in a bucket, also of one that could not begin."""

from __future__ import annotations

import json
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession
from jsonschema import Draft202012Validator

from tests.e2e.harness import Ran, fleet_text
from tests.e2e.test_ends import ALL_FAIL, ENDS
from tests.e2e.test_notify import pager, told
from tests.http_receiver import http_receiver
from tests.object_server import object_server
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.harness import Place

FILES = ["log.jsonl", "report.html", "result.json"]
BUCKET = "reports-of-fleets"


def kept(folder: Path, ran: Ran) -> dict[str, str]:
    """Return the files that were kept of a run."""
    run = folder / ran.report["run_id"]
    return {path.name: path.read_text() for path in sorted(run.iterdir())}


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


@pytest.mark.parametrize("name", ["", "no credentials", "broken fleet", "denied by a rule", "apps that fail"])
def test_report_result_and_log_of_every_end_are_kept(place: Place, name: str) -> None:
    code, environment = 0, {}
    if name:
        end = ENDS[name]
        end.prepare(place)
        code, environment = end.exit_code, end.environment
    ran = place.apply("--report-to", "kept/nightly", **environment)
    assert ran.code == code
    files = kept(place.folder / "kept" / "nightly", ran)
    assert list(files) == FILES
    result = json.loads(files["result.json"])
    Draft202012Validator(SCHEMAS["apply"]()).validate(result)
    assert result["run_id"] == ran.report["run_id"]
    assert result == ran.report
    folder = place.folder / "kept" / "nightly" / ran.report["run_id"]
    assert result["links"] == {path.partition(".")[0]: f"{folder}/{path}" for path in FILES}
    assert ran.report["run_id"] in files["report.html"]
    log = lines(files["log.jsonl"])
    assert [event["event"] for event in log[-2:]] == ["report.kept", "run.finished"]
    assert [event["event"] for event in log] == [event["event"] for event in ran.events()]


def test_what_is_kept_is_for_its_owner_alone(place: Place) -> None:
    ran = place.apply("--report-to", "kept")
    run = place.folder / "kept" / ran.report["run_id"]
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.iterdir()} == {0o600}


def test_a_notice_has_the_link_and_the_variable_names_the_place(place: Place) -> None:
    place.scenario(ALL_FAIL)
    pager(place, '[[notify]]\nurl_env = "PAGER_URL"')
    with http_receiver() as receiver:
        ran = place.apply(PAGER_URL=f"json://{receiver.host}/", APPFLEET_REPORT_TO=str(place.folder / "kept"))
    report = place.folder / "kept" / ran.report["run_id"] / "report.html"
    ((_, _, body),) = receiver.posts
    assert json.loads(body)["message"].splitlines()[-1] == f"Report: {report}"
    assert told(place)[0]["links"]["report"] == str(report)
    assert "appfleet apply" in report.read_text()
    assert "--state-dir" not in report.read_text()


def test_a_log_that_nobody_asked_for_elsewhere_is_kept(place: Place) -> None:
    """With the log on standard error, and with a command that only looks, which keeps nothing."""
    ran = place.run("apply", "--yes", "--format", "json", "--report-to", "kept", log=False)
    log = lines(kept(place.folder / "kept", ran)["log.jsonl"])
    assert (log[0]["event"], log[-1]["event"]) == ("lane.endpoint_noticed", "run.finished")
    place.run("apply", "--dry-run", "--report-to", "elsewhere")
    assert not (place.folder / "elsewhere").exists()


def test_onboarding_keeps_its_report_too(place: Place) -> None:
    place.write(fleet_text(["zoe"], more='[apps.canvas]\ntype = "Canvas"\n'))
    fleet = place.folder / "fleet.toml"
    fleet.write_text(fleet.read_text().replace('name = "e2e"\n', 'name = "e2e"\ninclude = ["teams/*.toml"]\n'))
    words = ("--members", "zoe", "--app", "canvas", "--yes", "--format", "json", "--report-to", "kept")
    ran = place.run("onboard", "nlp", *words)
    assert list(kept(place.folder / "kept", ran)) == FILES


@pytest.mark.parametrize("place_", ["file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made_is_told_and_stops_nothing(place: Place, place_: str) -> None:
    (place.folder / "file").write_text("")
    ran = place.apply("--report-to", place_)
    assert ran.code == 0
    assert ran.report["summary"] == {"created": 4}
    assert ran.report["links"] == {}
    assert "The log is not kept there" in ran.err
    (event,) = ran.events("report.failed")
    assert event["message"]
    assert any(note.startswith("Not kept in ") for note in ran.report["notes"])


@pytest.mark.parametrize("word", ["s3://", "s3://UPPER/x", "s3://bucket/a//b", "s3://bucket/a b", "gs://bucket/x", "-"])
def test_a_place_that_is_none_is_refused_before_anything_is_called(place: Place, word: str) -> None:
    ran = place.apply("--report-to", word)
    assert ran.code == 64
    assert "--report-to" in ran.err
    assert place.calls() == {}


# In a bucket.


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with object_server() as url:
        yield url


async def in_bucket(url: str, *, make: bool = False) -> dict[str, tuple[str, str]]:
    """Return what the bucket holds: name, then type and text; make it first where that is asked for."""
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "secret-of-a-test"}
    found: dict[str, tuple[str, str]] = {}
    async with AioSession().create_client("s3", region_name="us-east-1", endpoint_url=url, **keys) as s3:
        if make:
            await s3.create_bucket(Bucket=BUCKET)
        for row in (await s3.list_objects_v2(Bucket=BUCKET)).get("Contents", ()):
            answer = await s3.get_object(Bucket=BUCKET, Key=row["Key"])
            found[row["Key"]] = (answer["ContentType"], (await answer["Body"].read()).decode())
    return found


@pytest.mark.parametrize("name", ["", "no domain there"])
async def test_a_bucket_gets_all_three_of_them(place: Place, store: str, name: str) -> None:
    await in_bucket(store, make=True)
    if name:
        place.within(lambda world: world.domains.clear())
    scratch = place.folder / "scratch"
    scratch.mkdir()
    ran = place.apply("--report-to", f"s3://{BUCKET}/nightly/", AWS_ENDPOINT_URL_S3=store, TMPDIR=str(scratch))
    assert ran.code == (1 if name else 0)
    run = f"nightly/{ran.report['run_id']}"
    found = {key: what for key, what in (await in_bucket(store)).items() if key.startswith(run)}
    assert [key.removeprefix(f"{run}/") for key in sorted(found)] == FILES
    assert found[f"{run}/report.html"][0] == "text/html; charset=utf-8"
    assert json.loads(found[f"{run}/result.json"][1]) == ran.report
    assert ran.report["links"]["report"] == f"s3://{BUCKET}/{run}/report.html"
    assert lines(found[f"{run}/log.jsonl"][1])[-1]["event"] == "run.finished"
    assert [path.name for path in scratch.iterdir()] == [], "nothing is left beside it"


def test_a_bucket_that_is_not_there_is_told_and_stops_nothing(place: Place, store: str) -> None:
    ran = place.apply("--report-to", "s3://no-such-bucket/x", AWS_ENDPOINT_URL_S3=store)
    assert ran.code == 0
    (event,) = ran.events("report.failed")
    assert event["message"] == "The bucket no-such-bucket does not exist"
    assert ran.report["links"] == {}
    assert ran.events()[-1]["event"] == "run.finished"


@pytest.mark.slow
def test_a_store_that_does_not_answer_costs_its_bound_once(place: Place) -> None:
    place.write(fleet_text(["zoe"]))
    with http_receiver(hangs=True) as receiver:
        began = time.monotonic()
        ran = place.apply("--report-to", f"s3://{BUCKET}/x", AWS_ENDPOINT_URL_S3=f"http://{receiver.host}")
        took = time.monotonic() - began
    assert ran.code == 0
    assert ran.events("report.failed")[0]["message"] == "no answer within 30 s"
    assert took < 45
