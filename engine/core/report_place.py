"""Where `--report-to` keeps the report, the result and the log of each run: below a folder, or in a bucket. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from engine.core.errors import UsageError
from engine.core.limits import REPORT_PREFIX_MAX_CHARS
from engine.core.text import clean

REPORT: Final = "report.html"
RESULT: Final = "result.json"
LOG: Final = "log.jsonl"
FLAG: Final = "--report-to"
_SCHEME: Final = "s3://"
_ANY_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.=+-]+(/[A-Za-z0-9_.=+-]+)*")
_HINT: Final = "Write s3://BUCKET/PREFIX, such as s3://acme-appfleet/reports, or name a folder"
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
    if not text.startswith(_SCHEME):
        if _ANY_SCHEME.match(text):
            raise UsageError(f"{FLAG}: {clean(text, 120)} is not an address that appfleet knows", hint=_HINT)
        return ReportPlace(folder=text)
    bucket, _, rest = text.removeprefix(_SCHEME).partition("/")
    prefix = rest.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{FLAG}: {clean(bucket, 80)!r} is not a valid name of a bucket", hint=_HINT)
    is_plain = not prefix or (_PREFIX.fullmatch(prefix) and not {".", ".."}.intersection(prefix.split("/")))
    if not is_plain or len(prefix) > REPORT_PREFIX_MAX_CHARS:
        raise UsageError(
            f"{FLAG}: the prefix {clean(prefix, 80)!r} has an empty part, characters other than letters, digits and "
            f"_ . = + -, or more than {REPORT_PREFIX_MAX_CHARS} characters",
            hint=_HINT,
        )
    return ReportPlace(bucket=bucket, prefix=f"{prefix}/" if prefix else "")
