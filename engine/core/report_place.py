"""Where `--report-to` keeps the report, the result and the log of each run: below a folder, or in a bucket. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from engine.core.bucket_url import parse_bucket_url

REPORT: Final = "report.html"
RESULT: Final = "result.json"
LOG: Final = "log.jsonl"
FLAG: Final = "--report-to"
_SCHEME: Final = "s3://"
_CONSOLES: Final = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """A folder, or a bucket and a prefix that is empty or ends with a slash."""

    folder: str = ""
    bucket: str = ""
    prefix: str = ""

    def of_run(self, run_id: str) -> str:
        """Return where the files of a run are."""
        return f"{_SCHEME}{self.bucket}/{self.prefix}{run_id}" if self.bucket else f"{self.folder}/{run_id}"

    def links(self, run_id: str, names: tuple[str, ...]) -> dict[str, str]:
        """Return where each file of a run is, by what it is."""
        return {name.partition(".")[0]: f"{self.of_run(run_id)}/{name}" for name in names}

    def console_page(self, run_id: str, region: str, partition: str) -> str:
        """Return where a browser shows the report to those who may read it; empty where that is not known."""
        host = _CONSOLES.get(partition, "")
        if not (self.bucket and host):
            return ""
        key = quote(f"{self.prefix}{run_id}/{REPORT}")
        return f"https://{host.format(region=region)}/s3/object/{self.bucket}?region={region}&prefix={key}"


def report_place(text: str) -> ReportPlace:
    """Read what `--report-to` names. Raises UsageError."""
    url = parse_bucket_url(text, FLAG, "reports")
    return ReportPlace(folder=text) if url is None else ReportPlace(bucket=url.bucket, prefix=url.prefix)
