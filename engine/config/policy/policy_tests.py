"""`policies/*.test.toml`: tests of a policy, written by those who write the policy.

    today = 2026-11-24
    [app]                                   # what every app below is, unless it says otherwise
    domain = "research"
    type   = "JupyterLab"
    [[test]]
    name   = "a GPU needs an end"
    app    = { instance_type = "ml.g5.xlarge" }
    expect = { gpu-needs-an-end = "denied" }

Not here: running them (`policy.testing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from engine.config.fleet.fleet_file import POLICY_TEST_SUFFIX
from engine.config.fleet.fleet_models import LayerTable, Table
from engine.config.policy.policy_models import SetTable
from engine.config.policy.policy_rules import sets_of
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import Folder
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, Place, Problems
from engine.config.reading.toml_document import Document, parse_document
from engine.config.service.fields import (
    Account,
    AppType,
    EbsGb,
    Expires,
    Fallback,
    IdleMinutes,
    Label,
    Name,
    Region,
    Sharing,
)
from engine.core.calendars import Calendar
from engine.core.desired import AppSpec, DesiredApp, DesiredDomain, Mode
from engine.core.errors import PolicyError
from engine.core.hours import CLEARED, Hours
from engine.core.identity import AppKey
from engine.core.limits import POLICY_FILE_MAX_BYTES, POLICY_FILES_MAX_COUNT, POLICY_TEST_APPS_MAX_COUNT
from engine.policy.judge import Verdict
from engine.policy.testing import PolicyTest

_SPEC_FIELDS: Final = (
    "instance_type",
    "image_arn",
    "image_version_arn",
    "image_version_alias",
    "lifecycle_config_arn",
    "training_plan_arn",
    "recovery_mode",
)
VerdictWord = Literal["disabled", "not_matched", "passed", "remediated", "exempt", "denied", "failed"]


class TestAppTable(LayerTable):
    """An app of a test, as its layers would have left it. `copies` makes several, with names of their own."""

    __test__ = False  # a table, whatever its name: no test runner shall collect it

    domain: Label = "research"
    region: Region = "eu-west-1"
    account: Account | None = None
    team: str = ""
    owner_kind: Literal["user", "space"] | None = None
    owner: Name = "alice"
    type: AppType = "JupyterLab"
    name: Name = "default"
    fallback: Fallback | None = None
    sharing: Sharing | None = None
    ebs_gb: EbsGb | None = None
    idle_minutes: IdleMinutes | None = None
    copies: Annotated[int, Field(ge=1, le=POLICY_TEST_APPS_MAX_COUNT)] = 1


class TestTable(Table):
    """One `[[test]]`: one app or several, and what is expected."""

    __test__ = False

    name: str
    app: dict[str, Any] | None = None
    apps: list[dict[str, Any]] | None = None
    expect: dict[str, VerdictWord] = Field(default_factory=dict)
    fields: SetTable = SetTable()
    today: Expires | None = None


class TestFile(Table):
    """A whole file."""

    __test__ = False

    today: Expires
    app: dict[str, Any] = Field(default_factory=dict)
    test: list[TestTable]


def find_policy_tests(policy_files: Sequence[Path]) -> tuple[Path, ...]:
    """Return every `*.test.toml` in the folders that the policies lie in, sorted."""
    folders = {file.parent for file in policy_files}
    return tuple(sorted(found for folder in folders for found in folder.glob(f"*{POLICY_TEST_SUFFIX}")))


def load_policy_tests(files: Sequence[Path], root: Path) -> tuple[PolicyTest, ...]:
    """Read the tests of several files, in order; raises PolicyError with every problem of all files."""
    problems = Problems()
    folder = Folder(root, max_file_bytes=POLICY_FILE_MAX_BYTES, max_files=POLICY_FILES_MAX_COUNT)
    found: list[PolicyTest] = []
    for file in files:
        inside = (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
        try:
            document = parse_document(folder.read(inside), problems)
        except FileProblem as trouble:
            problems.of_file(Code.FILE, folder.shown(inside), 0, trouble.message, trouble.hint)
            continue
        if document is not None:
            found.extend(_tests_of(document, problems))
    if problems.errors:
        raise PolicyError(problems.errors)
    return tuple(found)


def _tests_of(document: Document, problems: Problems) -> list[PolicyTest]:
    whole = check_table(TestFile, document.data, document.place, problems)
    if whole is None:
        return []
    found: list[PolicyTest] = []
    for index, table in enumerate(whole.test):
        place = document.place.at("test", index)
        maker = _Maker(problems, whole.app)
        for app, where in _written_apps(table, place, problems):
            maker.add(app, where)
        if maker.apps:
            found.append(_test(table, whole, place, maker))
    return found


def _written_apps(table: TestTable, place: Place, problems: Problems) -> list[tuple[dict[str, Any], Place]]:
    if (table.app is None) == (not table.apps):
        problems.error(Code.VALUE, place, "a test has either app or apps", "Write app = { … } or apps = [{ … }, { … }]")
        return []
    if table.app is not None:
        return [(table.app, place.at("app"))]
    return [(app, place.at("apps", number)) for number, app in enumerate(table.apps or ())]


def _test(table: TestTable, whole: TestFile, place: Place, maker: _Maker) -> PolicyTest:
    return PolicyTest(
        name=table.name,
        source=place.source,
        apps=tuple(app for _, app in sorted(maker.apps.items())),
        domains=tuple(maker.domains.values()),
        today=table.today or whole.today,
        expect={rule: Verdict(word) for rule, word in table.expect.items()},
        fields=dict(sets_of(table.fields)),
    )


@dataclass(slots=True)
class _Maker:
    """Makes the apps of one test out of `[app]` and what the test says."""

    problems: Problems
    common: dict[str, Any]
    apps: dict[AppKey, DesiredApp]
    domains: dict[str, DesiredDomain]

    def __init__(self, problems: Problems, common: dict[str, Any]) -> None:
        self.problems = problems
        self.common = common
        self.apps = {}
        self.domains = {}

    def add(self, written: dict[str, Any], place: Place) -> None:
        """Make one app, or the copies of it."""
        tags = {**self.common.get("tags", {}), **written.get("tags", {})} if _has_tags(self.common, written) else None
        merged = {**self.common, **written} | ({} if tags is None else {"tags": tags})
        table = check_table(TestAppTable, merged, place, self.problems)
        if table is None:
            return
        domain = DesiredDomain(table.domain, f"d-{'0' * 12}", table.region, place.source, table.account)
        known = self.domains.setdefault(table.domain, domain)
        if (known.region, known.account) != (domain.region, domain.account):
            self.problems.error(
                Code.CONFLICT,
                place,
                f"domain {table.domain} has two regions or accounts",
                "Give one of them another name",
            )
        for number in range(table.copies):
            self._put(_app(table, f"{table.name}-{number + 1}" if table.copies > 1 else table.name, place), place)

    def _put(self, app: DesiredApp, place: Place) -> None:
        if app.key in self.apps:
            self.problems.error(
                Code.CONFLICT, place, f"there are two apps {app.key}", "Give one another owner or name, or use copies"
            )
        elif len(self.apps) >= POLICY_TEST_APPS_MAX_COUNT:
            self.problems.error(
                Code.LIMIT, place, f"a test has more than {POLICY_TEST_APPS_MAX_COUNT} apps", "Test it with fewer"
            )
        self.apps.setdefault(app.key, app)


def _has_tags(*tables: dict[str, Any]) -> bool:
    return all(isinstance(table.get("tags", {}), dict) for table in tables) and any("tags" in table for table in tables)


def _app(table: TestAppTable, name: str, place: Place) -> DesiredApp:
    kind = table.owner_kind or ("space" if table.type in {"JupyterLab", "CodeEditor"} else "user")
    return DesiredApp(
        key=AppKey(table.domain, kind, table.owner, table.type, name),
        spec=AppSpec(
            **{field: getattr(table, field) for field in _SPEC_FIELDS}, tags=tuple(sorted((table.tags or {}).items()))
        ),
        source=place.source,
        fallback=tuple(table.fallback or ()),
        mode=Mode(table.mode or "running"),
        expires=table.expires,
        hours=_hours(table.hours or CLEARED),
        team=table.team,
        sharing=table.sharing or ("Private" if kind == "space" else ""),
        ebs_gb=table.ebs_gb or 0,
        idle_minutes=table.idle_minutes or 0,
    )


def _hours(text: str) -> Hours | None:
    """Return hours that an expression can read: a test has no calendars."""
    return None if text == CLEARED else Hours(text, Calendar((), UTC, "UTC"))
