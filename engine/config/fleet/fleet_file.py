"""A fleet file and all that it names, read into the desired state; or every problem of them at once.

The loader knows no clock and calls nothing: whether an app has expired is judged by the planner. Not here:
policies, which are only found (`policy_file` reads them).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from engine.config.fleet.arns import check_arns, check_domain_role
from engine.config.fleet.expand import Expander
from engine.config.fleet.fleet_models import POLICIES_DEFAULT, FleetTable, IncludedTable
from engine.config.fleet.layers import Definitions, check_uses, follow_extends
from engine.config.fleet.of_shard import of_shard
from engine.config.fleet.shared_members import MembersFiles
from engine.config.fleet.tables import TableReader, read_shared
from engine.config.fleet.team_pairs import refuse_endless_work
from engine.config.fleet.written import AppDef, DomainDef, FleetDef, TeamDef, entries_of
from engine.config.reading.beneath import FileProblem, TooMuchProblem
from engine.config.reading.files import Folder, InputFile, home_of, inside_of
from engine.config.reading.model_errors import check_table
from engine.config.reading.patterns import nearest_pattern
from engine.config.reading.problems import Code, Place, Problems, TooMany, nearest, show_value
from engine.config.reading.toml_document import Document, parse_document
from engine.core.desired import DesiredDomain, DesiredFleet
from engine.core.diagnostics import Diagnostic
from engine.core.errors import ConfigError
from engine.core.hours import Hours
from engine.core.limits import TABLE_FILE_MAX_BYTES
from engine.core.shards import Shard

_IMMORTAL_MAX_COUNT: Final = 5_000  # objects; Python 3.12 has some 400 of them when it starts
_POLICIES_KEY: Final = re.compile(rb"^[ \t]*[\"']?policies[\"']?[ \t]*=", re.MULTILINE)
POLICY_TEST_SUFFIX: Final = ".test.toml"
_ROOT_ONLY: Final = dict.fromkeys(
    ("schema", "name", "policies", "include", "defaults"), "Only the fleet file itself can set it"
)


@dataclass(frozen=True, slots=True)
class LoadedFleet:
    """A valid fleet.

    `folder` is where the fleet file is; `policy_files` are paths that can be opened from here, sorted for each
    pattern. `of_defaults` are warnings of what nobody wrote: policies that are not where they are looked for unless
    the file says otherwise. `teams` (domain name and team, sorted), `definitions`, `include` and `policies` are as
    written, for commands that speak of them. `domains` are the names of all, also where `fleet` is a shard.
    `table_rows` counts the rows of each table of domains.
    """

    fleet: DesiredFleet
    folder: Path
    policy_files: tuple[Path, ...]
    warnings: tuple[Diagnostic, ...]
    teams: tuple[tuple[str, TeamDef], ...]
    definitions: Mapping[str, AppDef]
    include: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    of_defaults: tuple[Diagnostic, ...] = ()
    domains: tuple[str, ...] = ()
    table_rows: Mapping[str, int] = field(default_factory=dict)


def load_fleet(path: Path, also: Sequence[str] = (), shard: Shard | None = None) -> LoadedFleet:
    """Read a fleet file, what it includes and its members files; raises ConfigError with every problem, in order.

    `also` names files below its folder that are read as if they were included too. Of a shard every file is read, and
    the domains of its lanes alone become people and apps: bounds and problems of apps are of these.
    """
    with _collector_paused():
        return _Loading(path, shard).run(also)


def find_policies(path: Path) -> tuple[Path, tuple[Path, ...]]:
    """Return the folder and the policy files of a fleet file that is wrong elsewhere, so that they are checked as well.

    Nothing where the file does not say which they are. Raises nothing.
    """
    try:
        return _Loading(path).policies_alone()
    except ConfigError:
        pass
    folder = Folder(path.parent)
    try:  # what is no TOML can still show that it does not speak of policies
        speaks = _POLICIES_KEY.search(folder.read(path.name).data)
        found = () if speaks else folder.matching(POLICIES_DEFAULT[0])
    except FileProblem:
        return path.parent, ()
    return path.parent, tuple(path.parent / inside for inside in found if not inside.endswith(POLICY_TEST_SUFFIX))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Stop the cyclic collector while hundreds of thousands of objects are made that all stay alive.

    Freezing and thawing then moves them to the oldest generation without a walk over them; what somebody else
    has frozen is left frozen. Python 3.12 counts a few hundred objects that never die among the frozen ones.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() <= _IMMORTAL_MAX_COUNT:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


class _Loading:
    """One load: what was read so far, and what was wrong with it."""

    def __init__(self, path: Path, shard: Shard | None = None) -> None:
        self._shard = shard
        self._problems = Problems()
        home = self._home(path)
        self._folder = Folder(home.parent)
        self._name = home.name
        self._fleet = FleetDef()
        self._members = MembersFiles(self._problems, self._beside)
        self._reader = TableReader(self._problems, self._members.of)
        self._of_defaults = Problems()
        self._prune_refusals: list[str] = []
        self._table_rows: dict[str, int] = {}
        self._taken: set[str] = {self._name}  # files whose tables were read, each once
        self._hours: Mapping[str, Hours] = {}
        self._is_complete = True  # False once a file could not be read: what it defines is not "unknown"

    def run(self, also: Sequence[str] = ()) -> LoadedFleet:
        root = self._read_root()
        head = self._read_head(root)
        policy_files = self._find_policies(head, root.place) if head else ()
        read_shared(self._reader, root, self._fleet)
        if head is not None:
            self._read_includes((*head.include, *also), root.place.at("include"))
        if self._fleet.domains_from or self._fleet.templates:
            self._make_domains()
        self._members.note_lost()
        self._is_complete = self._is_complete and self._members.is_complete
        expander, expanded = self._expand()
        self._raise_errors()
        return LoadedFleet(
            fleet=self._desired(expander, expanded),
            folder=self._folder.path,
            policy_files=policy_files,
            warnings=self._problems.warnings,
            of_defaults=self._of_defaults.warnings,
            teams=tuple(
                (name, team)
                for name, domain in sorted(self._fleet.domains.items())
                for _, team in sorted(domain.teams.items())
            ),
            definitions=self._fleet.apps,
            include=tuple(head.include) if head is not None else (),
            policies=tuple(head.policies) if head is not None else (),
            domains=tuple(sorted(self._fleet.domains)),
            table_rows=self._table_rows,
        )

    def _make_domains(self) -> None:
        """Add the domains of tables."""
        from engine.config.fleet.from_templates import DomainMaker  # noqa: PLC0415  # few fleets have any

        maker = DomainMaker(self._fleet, self._reader, self._beside)
        maker.make_all()
        self._is_complete = self._is_complete and maker.is_complete
        self._prune_refusals += maker.prune_refusals
        self._table_rows = maker.table_rows

    def policies_alone(self) -> tuple[Path, tuple[Path, ...]]:
        """Find the policies, and look at nothing else."""
        root = self._read_root()
        patterns = root.data.get("policies", POLICIES_DEFAULT)
        is_known = isinstance(patterns, list | tuple) and all(isinstance(pattern, str) for pattern in patterns)
        found: dict[str, None] = {}
        for pattern in patterns if is_known else ():
            found |= dict.fromkeys(self._match(pattern, root.place, is_default=True))
        return self._folder.path, self._paths_of(found)

    def _paths_of(self, found: Iterable[str]) -> tuple[Path, ...]:
        return tuple(self._folder.path / inside for inside in found if not inside.endswith(POLICY_TEST_SUFFIX))

    def _home(self, path: Path) -> Path:
        try:
            return home_of(path)
        except FileProblem as problem:
            self._problems.of_file(Code.FILE, str(path), 0, problem.message, problem.hint)
            self._raise_errors()
            raise

    def _raise_errors(self) -> None:
        errors = self._problems.errors
        if errors:
            raise ConfigError(errors)

    def _read_root(self) -> Document:
        """Read the fleet file; without it there is nothing else to look at."""
        try:
            document = parse_document(self._folder.read(self._name), self._problems)
        except FileProblem as problem:
            shown = self._folder.shown(self._name)
            self._problems.of_file(Code.FILE, shown, 0, problem.message, problem.hint)
            document = None
        self._raise_errors()
        if document is None:
            raise AssertionError("a document that is missing has noted why")
        return document

    def _read_head(self, root: Document) -> FleetTable | None:
        """Check the keys that only the fleet file has."""
        data = {key: value for key, value in root.data.items() if key not in FleetTable.parts}
        if "defaults" in root.data:
            self._fleet.defaults = self._reader.defaults(root.data["defaults"], root.place.at("defaults"))
        elsewhere = {"version": "It is called schema, and is 1"}
        schema = data.get("schema", 1)
        if schema == 1 and not isinstance(schema, bool):
            head = check_table(FleetTable, data, root.place, self._problems, elsewhere)
            self._fleet.name = head.name if head is not None else ""
            return head
        message = "this appfleet reads schema 1, but the file sets another"
        self._problems.error(Code.VALUE, root.place.at("schema"), message, "Set schema = 1")
        return check_table(FleetTable, data | {"schema": 1}, root.place, self._problems, elsewhere)

    def _read_includes(self, patterns: Iterable[str], place: Place) -> None:
        for index, pattern in enumerate(patterns):
            where = place.at(index)
            for inside in self._match(pattern, where, is_include=True):
                self._read_included(inside, where)

    def _read_included(self, inside: str, place: Place) -> None:
        try:
            item = self._folder.read(inside)
        except FileProblem as problem:
            self._note_unread(problem, place)
            return
        if item.inside in self._taken:
            return
        self._taken.add(item.inside)
        document = parse_document(item, self._problems)
        if document is None:
            self._is_complete = False
            return
        own = {key: value for key, value in document.data.items() if key not in IncludedTable.parts}
        if own:
            check_table(IncludedTable, own, document.place, self._problems, _ROOT_ONLY)
        if not any(document.data.values()):
            message = f"{item.shown} declares nothing"
            hint = "It may have been cut off. Restore it, or remove it"
            self._problems.warning(Code.EMPTY, document.place, "this file declares nothing", hint)
            self._prune_refusals.append(f"{place.source}: {message}")
        read_shared(self._reader, document, self._fleet)

    def _find_policies(self, head: FleetTable, place: Place) -> tuple[Path, ...]:
        is_default = "policies" not in head.model_fields_set
        found: dict[str, None] = {}
        for index, pattern in enumerate(POLICIES_DEFAULT if is_default else head.policies):
            where = place.at("policies") if is_default else place.at("policies", index)
            found |= dict.fromkeys(self._match(pattern, where, is_default=is_default))
        return self._paths_of(found)

    def _match(
        self, pattern: str, place: Place, *, is_include: bool = False, is_default: bool = False
    ) -> tuple[str, ...]:
        try:
            found = self._folder.matching(pattern)
        except FileProblem as problem:
            speaks_of_pattern = problem.message.startswith(("is ", "leads "))
            message = f"{show_value(pattern)} {problem.message}" if speaks_of_pattern else problem.message
            self._problems.error(Code.FILE, place, message, problem.hint)
            self._is_complete = False
            return ()
        policies = tuple(inside for inside in found if is_include or not inside.endswith(POLICY_TEST_SUFFIX))
        if not policies:
            message = f"{show_value(pattern)} matches no file"
            if found:
                message += f" but tests of policies (*{POLICY_TEST_SUFFIX})"
            if is_include:
                self._prune_refusals.append(f"{place.source}: {message}")
            hint = nearest_pattern(self._folder.path, pattern) or "Correct the pattern, or remove it"
            if is_default:
                hint = "Put policy files there, or write policies = [] if you want none"
                message = f"no policy applies: {message}, and policies names no other"
            problems = self._of_defaults if is_default else self._problems
            problems.warning(Code.EMPTY, place, message, hint)
        return found

    def _beside(self, name: str, place: Place) -> InputFile | None:
        """Read a table that lies beside the file that names it; None where that cannot be done, which is noted."""
        parent = PurePosixPath(Path(place.file).relative_to(self._folder.path).as_posix()).parent
        try:
            return self._folder.read(inside_of(parent, name), TABLE_FILE_MAX_BYTES)
        except FileProblem as problem:
            self._note_unread(problem, place)
            return None

    def _note_unread(self, problem: FileProblem, place: Place) -> None:
        """Note a file that could not be read; of those beyond a bound the first alone."""
        self._is_complete = False
        if not isinstance(problem, TooMuchProblem) or self._problems.first_time(problem.message):
            self._problems.error(Code.FILE, place, problem.message, problem.hint)

    def _expand(self) -> tuple[Expander, Mapping[str, DomainDef]]:
        fleet, problems = self._fleet, self._problems
        chains = follow_extends(fleet.apps, fleet.broken_apps, problems, is_complete=self._is_complete)
        if self._is_complete:
            check_uses((*entries_of(fleet.domains.values()), *self._reader.strays), chains, problems)
        self._check_domains()
        domains = of_shard(fleet.domains, self._shard, problems)
        self._hours = self._read_hours()
        expander = Expander(Definitions(chains, self._hours), fleet.defaults, problems)
        try:
            refuse_endless_work(domains.values(), problems)
            for domain in domains.values():
                domain.lost_people = domain.lost_people or not self._is_complete
                expander.expand(domain)
        except TooMany:
            pass  # noted; what was left out cannot be looked at
        check_arns(expander.apps, expander.owners, fleet.domains, problems)
        return expander, domains

    def _read_hours(self) -> Mapping[str, Hours]:
        calendars, written = self._fleet.calendars, self._reader.hours
        if not (calendars or written):
            return {}
        from engine.config.fleet.hours_reader import read_hours  # noqa: PLC0415  # few fleets have any, and zones cost

        return read_hours(calendars, written, self._problems, is_complete=self._is_complete)

    def _check_domains(self) -> None:
        by_id: dict[str, DomainDef] = {}
        for domain in self._fleet.domains.values():
            missing = [key for key in ("id", "region") if key not in domain.own]
            if missing and self._is_complete:
                others = [name for name, other in self._fleet.domains.items() if "id" in other.own]
                hint = nearest(domain.name, others) if len(missing) > 1 else ""
                message = f"this domain has no {' and no '.join(missing)}"
                self._problems.error(Code.VALUE, domain.place, message, hint or f"Add {' and '.join(missing)}")
            check_domain_role(domain, self._problems)
            domain_id = domain.own.get("id")
            if not isinstance(domain_id, str):
                continue
            first = by_id.setdefault(domain_id, domain)
            if first is not domain:
                message = f"domain {first.name} ({first.place.at('id').source}) has this id already"
                hint = "Give each domain one name"
                self._problems.error(Code.CONFLICT, domain.place.at("id"), message, hint)

    def _desired(self, expander: Expander, domains: Mapping[str, DomainDef]) -> DesiredFleet:
        expander.apps.sort(key=lambda app: app.key)
        expander.owners.sort(key=lambda owner: owner.owner)
        return DesiredFleet(
            name=self._fleet.name,
            domains=tuple(
                DesiredDomain(
                    name=domain.name,
                    domain_id=domain.own["id"],
                    region=domain.own["region"],
                    source=domain.place.source,
                    account=domain.own.get("account"),
                    profile=domain.own.get("profile"),
                    role_arn=domain.own.get("role_arn"),
                    external_id=domain.own.get("external_id"),
                )
                for _, domain in sorted(domains.items())
            ),
            apps=tuple(expander.apps),
            owners=tuple(expander.owners),
            inputs=self._folder.inputs(),
            prune_refusal="; ".join((*self._members.prune_refusals, *self._prune_refusals)),
            hours=tuple(hours for _, hours in sorted(self._hours.items())),
        )
