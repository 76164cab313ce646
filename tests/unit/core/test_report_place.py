"""Where `--report-to` keeps runs: what is a place, and where each file of a run is."""

from __future__ import annotations

import pytest

from engine.core.errors import UsageError
from engine.core.report_place import LOG, REPORT, RESULT, ReportPlace, report_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("kept/nightly", ReportPlace(folder="kept/nightly")),
        ("/var/lib/appfleet", ReportPlace(folder="/var/lib/appfleet")),
        ("s3://acme-appfleet", ReportPlace(bucket="acme-appfleet")),
        ("s3://acme-appfleet/", ReportPlace(bucket="acme-appfleet")),
        ("s3://acme.appfleet/a/b=1/", ReportPlace(bucket="acme.appfleet", prefix="a/b=1/")),
    ],
)
def test_a_place_is_a_folder_or_a_bucket_and_a_prefix(text: str, place: ReportPlace) -> None:
    assert report_place(text) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://bucket/x", "not an address"),
        ("https://bucket", "not an address"),
        ("s3:/bucket", "not an address"),
        ("s3://", "not a valid name of a bucket"),
        ("s3://UPPER/x", "not a valid name of a bucket"),
        ("s3://bucket/a//b", "the prefix 'a//b'"),
        ("s3://bucket/../b", "the prefix '../b'"),
        ("s3://bucket/a b", "the prefix 'a b'"),
        ("s3://bucket/\x1b[2J", "the prefix '\\\\u001b[2J'"),
        (f"s3://bucket/{'a' * 513}", "more than 512 characters"),
    ],
)
def test_what_is_no_place_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        report_place(text)
    assert said in raised.value.message
    assert "s3://" in raised.value.hint


def test_the_files_of_a_run_are_below_its_name() -> None:
    assert ReportPlace(folder="/kept").links("run-1", (REPORT, LOG)) == {
        "report": "/kept/run-1/report.html", "log": "/kept/run-1/log.jsonl",
    }  # fmt: skip
    place = ReportPlace(bucket="acme", prefix="a/")
    assert place.links("run-1", (RESULT,)) == {"result": "s3://acme/a/run-1/result.json"}


def test_a_browser_shows_a_report_in_a_bucket_of_a_known_part_of_aws() -> None:
    place = ReportPlace(bucket="acme", prefix="a=b/")
    assert place.console_page("run-1", "eu-west-1", "aws") == (
        "https://eu-west-1.console.aws.amazon.com/s3/object/acme?region=eu-west-1&prefix=a%3Db/run-1/report.html"
    )
    assert place.console_page("run-1", "cn-north-1", "aws-cn").startswith("https://console.amazonaws.cn/s3/")
    assert place.console_page("run-1", "eusc-de-east-1", "aws-eusc") == ""
    assert ReportPlace(folder="/kept").console_page("run-1", "eu-west-1", "aws") == ""
