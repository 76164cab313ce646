"""Policy files: text in, settings and compiled rules out, or every problem of every file at once.

Several files merge; what one of them sets, no other may set again. Not here: which keys there are
(`policy_models`), what an organization's settings do to a fleet's (`organization`), what an expression means
(`engine.policy`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from engine.config.policy.merged import Merged
from engine.config.policy.notify_models import NotifyTable
from engine.config.policy.organization import bound, held_together, organization_folders
from engine.config.policy.policy_models import (
    BACKOFFS,
    BackoffTable,
    ExceptionTable,
    ExecutionTable,
    ObserveTable,
    OwnersTable,
    PolicyTables,
    PriorityTable,
    RuleTable,
    SafetyTable,
    ToleranceTable,
)
from engine.config.policy.policy_rules import RuleReader
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import Folder
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, KeyPath, Place, Problems, nearest, show_path
from engine.config.reading.toml_document import Document, parse_document
from engine.config.service import service_model as service
from engine.config.service.fields import REGION
from engine.core.desired import Source
from engine.core.diagnostics import Diagnostic
from engine.core.errors import PolicyError, UsageError
from engine.core.inputs import organization_input
from engine.core.limits import NOTIFY_CHANNELS_MAX_COUNT, POLICY_FILE_MAX_BYTES, POLICY_FILES_MAX_COUNT
from engine.core.settings import (
    HOURLY_USD,
    STORAGE_PRICE,
    Backoff,
    Backoffs,
    Execution,
    NotifyChannel,
    Observe,
    Safety,
    Settings,
    Tolerance,
)
from engine.policy.admission import Admission, compile_admission
from engine.policy.rules import Priority, Rule, RuleException

_PRICED: Final = (*service.APP_TYPES, STORAGE_PRICE)  # besides instance types
_ARRAYS: Final[Mapping[str, type[RuleTable | ExceptionTable | PriorityTable | NotifyTable]]] = {
    "rule": RuleTable,
    "exception": ExceptionTable,
    "priority": PriorityTable,
    "notify": NotifyTable,
}


class Bound(NamedTuple):
    """What an organization set, and where."""

    value: Any
    source: Source


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """What all policy files say together.

    `admission` holds the rules compiled. `inputs` pairs each file with its SHA-256, sorted. `sources` tells
    where a setting was written, by its key path (`safety.destroy_max`); defaults are not in it. `bounds` holds what an
    organization set, in the same way.
    """

    settings: Settings
    rules: tuple[Rule, ...]
    exceptions: tuple[RuleException, ...]
    priorities: tuple[Priority, ...]
    admission: Admission
    inputs: tuple[tuple[str, str], ...]
    warnings: tuple[Diagnostic, ...]
    sources: Mapping[str, Source] = field(default_factory=dict, hash=False)
    bounds: Mapping[str, Bound] = field(default_factory=dict, hash=False)

    @property
    def of_organization(self) -> frozenset[str]:
        """The settings whose value is the organization's, by their key paths."""
        return frozenset(path for path, one in self.bounds.items() if self.sources.get(path) == one.source)


def load_policies(files: Sequence[Path], root: Path, organization: Sequence[Path] = ()) -> LoadedPolicies:
    """Read and merge policy files, and compile their rules.

    `files` lie below `root`, absolute or relative to it. `organization` names folders whose policies bound those of
    `files`; of several the first bounds the others. Raises PolicyError with every problem of all files, and UsageError
    for a folder that is missing or empty.
    """
    problems = Problems()
    folders = organization_folders(organization)
    folder = _folder(root)
    reader = RuleReader(problems)
    above = [_merged([Path(name) for name in names], each, reader, is_above=True) for each, names in folders]
    merged = _merged(files, folder, reader)
    for one in reversed(above):
        bound(merged, one)
    settings = _settings(merged)
    rules, exceptions, priorities = reader.finish()
    diagnostics = list(problems.errors)
    admission = None
    try:
        admission = compile_admission(rules, exceptions, priorities, settings.prices)
    except PolicyError as error:
        diagnostics.extend(error.diagnostics)
    if admission is None or diagnostics:
        raise PolicyError(tuple(sorted(diagnostics, key=lambda d: (d.file, d.line, d.key_path, d.message))))
    return LoadedPolicies(
        settings,
        rules,
        exceptions,
        priorities,
        admission,
        tuple(sorted((*folder.inputs(), *_inputs_of(each for each, _ in folders)))),
        problems.warnings,
        {show_path(path): place.source for path, place in merged.places.items()},
        {show_path(path): Bound(value, place.source) for path, (value, place) in held_together(above).items()},
    )


def _merged(files: Sequence[Path], folder: Folder, reader: RuleReader, *, is_above: bool = False) -> Merged:
    """Return the scalars of the files of one folder, and hand their rules over; `is_above` are an organization's."""
    documents, is_complete = _documents(files, folder, reader.problems)
    if is_above and is_complete and not any(any(document.data.values()) for document in documents):
        said = "no policy file of this folder holds a rule or a setting"
        reader.problems.error(Code.EMPTY, documents[0].place, said, "They may have been cut off. Restore them")
    reader.is_complete = reader.is_complete and is_complete
    reader.is_above = is_above
    merged = Merged(reader.problems)
    for document in documents:
        _take(document, merged, reader)
    _check_rates(merged, is_above=is_above)
    return merged


def _inputs_of(folders: Iterable[Folder]) -> Iterator[tuple[str, str]]:
    """Return the files of an organization with their SHA-256, under names that are the same on every machine."""
    for number, folder in enumerate(folders):
        yield from ((organization_input(number, name), digest) for name, digest in folder.inputs())


def channels_in(files: Sequence[Path], root: Path, organization: Sequence[Path] = ()) -> tuple[NotifyChannel, ...]:
    """Return whom policy files name to be notified, also where something else in them is wrong. Raises nothing.

    For a run that ended because its files are. What is wrong was said by then.
    """
    unsaid = Problems()
    own = _channels(_documents(files, _folder(root), unsaid)[0], unsaid)
    above: list[NotifyChannel] = []
    with suppress(UsageError):
        for folder, names in organization_folders(organization):
            above += _channels(_documents([Path(name) for name in names], folder, unsaid)[0], unsaid)
    above = above[:NOTIFY_CHANNELS_MAX_COUNT]
    own = own[: NOTIFY_CHANNELS_MAX_COUNT - len(above)]  # however many it names, the organization's are told
    return tuple(dict.fromkeys((*own, *above)))


def _channels(documents: Sequence[Document], unsaid: Problems) -> list[NotifyChannel]:
    """Return whom files name to be notified, each once, as far as their tables are right."""
    found: list[NotifyChannel] = []
    for document in documents:
        written = document.data.get("notify", [])
        for index, item in enumerate(written if isinstance(written, list) else ()):
            table = check_table(NotifyTable, item, document.place.at("notify", index), unsaid)
            found += [] if table is None or table.channel() in found else [table.channel()]
    return found


def _folder(root: Path) -> Folder:
    return Folder(root, max_file_bytes=POLICY_FILE_MAX_BYTES, max_files=POLICY_FILES_MAX_COUNT)


def _documents(files: Sequence[Path], folder: Folder, problems: Problems) -> tuple[list[Document], bool]:
    """Return the files that can be read and parsed, each once, and whether they are all of them."""
    files = tuple(dict.fromkeys(files))  # two patterns may match one file
    read = [doc for file in files if (doc := _read(folder, file, problems)) is not None]
    # Two names may be links to one file.
    return list({doc.file.inside: doc for doc in read}.values()), len(read) == len(files)


def _read(folder: Folder, file: Path, problems: Problems) -> Document | None:
    inside = (file.relative_to(folder.path) if file.is_relative_to(folder.path) else file).as_posix()
    try:
        item = folder.read(inside)
    except FileProblem as problem:
        problems.of_file(Code.FILE, folder.shown(inside), 0, problem.message, problem.hint)
        return None
    return parse_document(item, problems)


def _take(document: Document, merged: Merged, reader: RuleReader) -> None:
    """Parse the file; collect every problem instead of stopping at the first."""
    place, problems = document.place, merged.problems
    data = dict(document.data)
    if not any(data.values()):
        hint = "It may have been cut off. Restore it, or remove it"
        problems.warning(Code.EMPTY, place, "this file holds no rule and no setting", hint)
    for name, model in _ARRAYS.items():
        written = data.pop(name, [])
        if not isinstance(written, list):
            problems.error(
                Code.VALUE, place.at(name), "these tables come in lists", f"Write [[{name}]], with two brackets"
            )
            continue
        for index, item in enumerate(written):
            table = check_table(model, item, place.at(name, index), problems)
            if isinstance(table, NotifyTable):
                _add_channel(table, place.at(name, index), merged)
            elif table is not None:
                reader.add(table, place.at(name, index))
            elif model is RuleTable:
                reader.is_complete = False
    right = [key for key in data if check_table(PolicyTables, {key: data[key]}, place, problems) is not None]
    _collect(PolicyTables.model_validate({key: data[key] for key in right}), place, merged)


def _add_channel(table: NotifyTable, place: Place, merged: Merged) -> None:
    merged.channels.append(table.channel())
    if len(merged.channels) == NOTIFY_CHANNELS_MAX_COUNT + 1:
        hint = "Let one command or topic pass it on to several receivers"
        merged.problems.error(Code.LIMIT, place, f"there are more than {NOTIFY_CHANNELS_MAX_COUNT} [[notify]]", hint)


def _collect(tables: PolicyTables, place: Place, merged: Merged) -> None:
    """Put every scalar that the file sets into the merge."""
    for name in ("execution", "observe", "safety", "tolerance", "owners"):
        _put_fields(getattr(tables, name), (name,), place, merged)
    for name, item in type(tables.backoff).model_fields.items():
        table: BackoffTable = getattr(tables.backoff, name)
        _put_fields(table, ("backoff", item.alias or name), place, merged)
    _collect_prices(tables.prices, place, merged)


def _put_fields(table: BaseModel, path: KeyPath, place: Place, merged: Merged) -> None:
    for key in type(table).model_fields:
        if key in table.model_fields_set:
            merged.put((*path, key), getattr(table, key), place.at(*path, key))


def _collect_prices(prices: Mapping[str, Any], place: Place, merged: Merged) -> None:
    for key, value in prices.items():
        if isinstance(value, dict) and REGION.fullmatch(key):
            for kind, price in value.items():
                _put_price(("prices", key, kind), price, place, merged)
        else:
            _put_price(("prices", key), value, place, merged)


def _put_price(path: KeyPath, price: object, place: Place, merged: Merged) -> None:
    here = place.at(*path)
    if isinstance(price, dict):
        merged.problems.error(
            Code.VALUE, here, "is a table, but not of a region", 'Put quotes around the type: "ml.t3.medium" = 0.05'
        )
    elif not service.INSTANCE_TYPE_FORM.fullmatch(str(path[-1])) and path[-1] not in _PRICED:
        hint = nearest(str(path[-1]), _PRICED) or 'Write it like "ml.t3.medium" = 0.05'
        merged.problems.error(Code.VALUE, here, "is not an instance type, an app type or a region", hint)
    elif (
        isinstance(price, bool) or not isinstance(price, int | float) or not HOURLY_USD.low <= price <= HOURLY_USD.high
    ):
        merged.problems.error(
            Code.VALUE,
            here,
            f"must be a number from {HOURLY_USD.low:g} to {HOURLY_USD.high:,.0f}",
            "Write USD per hour",
        )
    else:
        merged.put(path, float(price), here)


def _settings(merged: Merged) -> Settings:
    """Build the settings from defaults and what was set, and check what must fit together."""
    execution = Execution(**_table(merged, ExecutionTable, "execution"))
    safety = _table(merged, SafetyTable, "safety")
    safety["replace_on_drift"] = safety.pop("replace") == "on-drift"
    safety["freeze"] = tuple(safety["freeze"])
    owners = _table(merged, OwnersTable, "owners")
    if owners["assign"] and not owners["create"]:
        path = ("owners", "assign")
        message = "assigns nobody while create is false: only users of profiles that appfleet makes are assigned"
        merged.problems.warning(Code.VALUE, merged.place_of(path, path), message, "Set create = true, or remove assign")
    return Settings(
        execution=execution,
        backoffs=Backoffs(
            throttling=_backoff(merged, "ThrottlingException"),
            limit=_backoff(merged, "ResourceLimitExceeded"),
            transient=_backoff(merged, "transient"),
            capacity=_backoff(merged, "capacity"),
        ),
        observe=Observe(**_table(merged, ObserveTable, "observe")),
        safety=Safety(**safety),
        tolerance=Tolerance(**_table(merged, ToleranceTable, "tolerance")),
        create_owners=owners["create"],
        assign_users=owners["assign"],
        update_owners=owners["update"],
        owners_look_every=owners["look_every"],
        prices=_prices(merged),
        notify=tuple(merged.channels),
    )


def _table(merged: Merged, model: type[BaseModel], name: str) -> dict[str, Any]:
    return {key: merged.get((name, key), item.default) for key, item in model.model_fields.items()}


def _backoff(merged: Merged, name: str) -> Backoff:
    path, default = ("backoff", name), BACKOFFS[name]
    built = Backoff(
        **{
            key: merged.get((*path, key), getattr(default, key))
            for key in ("initial", "max", "factor", "give_up_after")
        }
    )
    if built.max < built.initial:
        merged.problems.error(
            Code.CONFLICT,
            merged.place_of((*path, "max"), (*path, "initial")),
            f"max ({built.max:g} s) is below initial ({built.initial:g} s)",
            "Raise max, or lower initial",
        )
    return built


def _check_rates(merged: Merged, *, is_above: bool) -> None:
    """Refuse a rate that begins above its own bound; an organization may set one of the two alone."""
    low, high = ("execution", "create_rate"), ("execution", "create_rate_max")
    execution = Execution(**_table(merged, ExecutionTable, "execution"))
    if execution.create_rate_max >= execution.create_rate or (is_above and not {low, high} <= merged.places.keys()):
        return
    default = "" if high in merged.places else ", the default"
    merged.problems.error(
        Code.CONFLICT,
        merged.place_of(high, low),
        f"create_rate_max ({execution.create_rate_max:g}{default}) is below create_rate ({execution.create_rate:g})",
        f"Set create_rate_max to {execution.create_rate:g} or more, or lower create_rate",
    )


def _prices(merged: Merged) -> tuple[tuple[str, str, float], ...]:
    """Return (region, instance type, USD per hour), sorted; the region is empty for prices of all regions."""
    found: list[tuple[str, str, float]] = []
    for path, value in merged.values.items():
        if path[0] == "prices":
            region = str(path[1]) if len(path) == 3 else ""
            found.append((region, str(path[-1]), value))
    return tuple(sorted(found))
