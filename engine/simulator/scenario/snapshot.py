"""A world as a JSON document, and back: so that `--simulate` finds its world again on the next run.

What is saved: everything that a caller could see, what is still to happen, and the state of chance. What is not: the
counts, and how full the request limits' token buckets are.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_open
from engine.core.desired import AppSpec
from engine.core.errors import StateError
from engine.core.limits import SIMULATED_WORLD_MAX_BYTES
from engine.simulator.scenario import snapshot_values as values_of
from engine.simulator.scenario.changes import change_from_json, change_to_json
from engine.simulator.service.owner_operations import index_profile, index_space
from engine.simulator.world.faults import FailureRule, Fault, FaultKind, FaultRule
from engine.simulator.world.quotas import Quotas, Wording
from engine.simulator.world.records import NEVER, App, AppId, Bucket, Domain, Profile, Space
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.world import Timing, World

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION: Final = 1
_STATUS_END: Final = 600
_OWNER_FIELDS_LEFT_OUT: Final = frozenset({"gone", "live_apps", "spaces", "profiles"})


def world_to_json(world: World) -> dict[str, Any]:
    """Return a world as plain values that `json` can write."""
    quotas = {name: value for name, value in asdict(world.quotas).items() if name != "exact"}
    return {
        "format_version": FORMAT_VERSION,
        "now": world.now,
        "seq": world.next_seq(),
        "account": world.account,
        "scenario": world.scenario,
        "keep_replaced_rows": world.keep_replaced_rows,
        "random": _random_to_json(world.rng),
        "timing": asdict(world.timing),
        "quotas": {**quotas, "exact": [[*key, value] for key, value in world.quotas.exact.items()]},
        "request_limits": {
            name: None if limit is None else [limit.rate, limit.burst] for name, limit in world.request_limits.items()
        },
        "failures": [asdict(rule) for rule in world.failures],
        "faults": [_without_infinity(asdict(rule)) for rule in world.faults.rules],
        "prices": world.prices,
        "domains": [_domain_to_json(domain) for domain in world.domains.values()],
        "apps": [_app_to_json(app) for index in world.apps_by_domain.values() for app in index],
        "scheduled": [[at, change_to_json(change)] for at, change in world.scheduled_changes()],
        "after_first_create": [[delay, change_to_json(change)] for delay, change in world.after_first_create.changes],
    }


def world_from_json(document: Any) -> World:
    """Return the world of a document. Raises StateError for one that `world_to_json` did not make."""
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise StateError(
            f"the saved world of the simulator cannot be read: {type(error).__name__}: {error}",
            hint="Delete it; the next run with --simulate begins with a new one",
        ) from error


def dump_world(world: World) -> bytes:
    """Return the bytes of a world's document."""
    return orjson.dumps(world_to_json(world))


def parse_world(data: bytes) -> World:
    """Return the world of such bytes. Raises StateError."""
    try:
        document = orjson.loads(data)
    except ValueError:
        document = None
    return world_from_json(document)


def save_world(world: World, path: Path) -> None:
    """Write a world to a file, whole or not at all, readable by its owner alone. Raises StateError."""
    data = dump_world(world)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - a plain name of a file that this function made
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        raise StateError(
            f"the simulator's world cannot be written to {path}: {error.strerror}",
            hint="Free some space, or choose another folder with --state-dir",
        ) from error


def load_world(path: Path) -> World | None:
    """Read a world from a file; None when there is none. A link is refused. Raises StateError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(
            f"the simulator's world cannot be read from {path}: {error.strerror}",
            hint="Delete it; the next run with --simulate begins with a new one",
        ) from error
    try:
        data = read_open(descriptor, str(path), SIMULATED_WORLD_MAX_BYTES)
    except FileProblem as problem:
        raise StateError(
            f"the simulator's world cannot be read: {problem.message}",
            hint="Delete it; the next run with --simulate begins with a new one",
        ) from None
    finally:
        os.close(descriptor)
    return parse_world(data)


def _without_infinity(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: null stands for `never`."""
    return {name: None if value == NEVER else value for name, value in values.items()}


def _with_infinity(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: NEVER if value is None and name in names else value for name, value in values.items()}


def _random_to_json(rng: random.Random) -> list[Any]:
    version, internal, gauss = rng.getstate()
    return [version, list(internal), gauss]


def _domain_to_json(domain: Domain) -> dict[str, Any]:
    names = [name for name in Domain.__dataclass_fields__ if name not in _OWNER_FIELDS_LEFT_OUT]
    return {
        **{name: getattr(domain, name) for name in names},
        "profiles": [_owner_to_json(profile) for profile in domain.profiles.values()],
        "spaces": [_owner_to_json(space) for space in domain.spaces.values()],
    }


def _owner_to_json(owner: Profile | Space) -> dict[str, Any]:
    names = [name for name in type(owner).__dataclass_fields__ if name not in _OWNER_FIELDS_LEFT_OUT]
    return _without_infinity({name: getattr(owner, name) for name in names})


def _app_to_json(app: App) -> dict[str, Any]:
    names = [name for name in App.__dataclass_fields__ if name not in ("gone", "key", "bucket", "spec")]
    shown = _without_infinity({name: getattr(app, name) for name in names})
    return {**shown, "key": list(app.key), "bucket": list(app.bucket), "spec": app.spec.to_json()}


def _read(document: dict[str, Any]) -> World:
    if document["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format_version is {document['format_version']}, and {FORMAT_VERSION} is read here")
    rng = random.Random()
    version, internal, gauss = document["random"]
    rng.setstate((version, tuple(internal), gauss))
    quotas = dict(document["quotas"])
    exact = {(account, region, name): values_of.count(value) for account, region, name, value in quotas.pop("exact")}
    quotas["wording"] = Wording(quotas["wording"])
    timing: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document["timing"].items()
    }
    world = World(
        timing=values_of.checked(Timing(**timing)),
        quotas=values_of.checked(Quotas(**quotas, exact=exact)),
        request_limits={
            str(name): None if limit is None else _request_limit(*limit)
            for name, limit in document["request_limits"].items()
        },
        rng=rng,
        account=values_of.text(document["account"]),
    )
    world.now = values_of.moment(document["now"])
    world.scenario = values_of.text(document["scenario"])
    world.keep_replaced_rows = bool(document["keep_replaced_rows"])
    world.failures = [values_of.checked(FailureRule(**rule)) for rule in document["failures"]]
    world.faults.rules = [_fault_rule(rule) for rule in document["faults"]]
    # A world that was saved before there were prices has those of a new one.
    world.prices = {str(kind): values_of.money(usd) for kind, usd in document.get("prices", world.prices).items()}
    _read_records(world, document)
    world.continue_seq(values_of.count(document["seq"]))
    for at, change in document["scheduled"]:
        world.schedule(values_of.moment(at), change_from_json(change))
    world.after_first_create.changes = [
        (values_of.moment(delay), change_from_json(change)) for delay, change in document["after_first_create"]
    ]
    return world


def _fault_rule(values: dict[str, Any]) -> FaultRule:
    fault = values["fault"]
    rest = _with_infinity({name: value for name, value in values.items() if name != "fault"}, ("until_at",))
    told = values_of.checked(Fault(FaultKind(fault["kind"]), fault["code"], fault["message"], fault["status"]))
    if not HTTPStatus.CONTINUE <= told.status < _STATUS_END:
        raise ValueError("a fault has a status that no answer has")
    return values_of.checked(FaultRule(told, **rest))


def _request_limit(rate: Any, burst: Any) -> RequestLimit:
    limit = values_of.checked(RequestLimit(rate, burst))
    if limit.rate <= 0.0 or limit.burst < 0.0:
        raise ValueError("a request limit lets nothing through")
    return limit


def _read_records(world: World, document: dict[str, Any]) -> None:
    records: list[Domain | Profile | Space | App] = []
    for values in document["domains"]:
        rest = {name: value for name, value in values.items() if name not in ("profiles", "spaces")}
        domain = values_of.checked(Domain(**rest))
        world.domains[domain.domain_id] = domain
        records.append(domain)
        records += [values_of.checked(Profile(**_with_infinity(one, ("due",)))) for one in values["profiles"]]
        records += [values_of.checked(Space(**_with_infinity(one, ("due",)))) for one in values["spaces"]]
    for values in document["apps"]:
        fields = _with_infinity(values, ("due", "ended_at"))
        fields["key"] = values_of.texts(AppId(*fields["key"]))
        fields["bucket"] = values_of.texts(Bucket(*fields["bucket"]))
        if "tags" in fields["spec"]:
            raise ValueError("the spec of an app has tags, which belong to the app")
        fields["spec"] = values_of.checked(AppSpec(**fields["spec"]))
        records.append(values_of.checked(App(**fields)))
    records.sort(key=lambda record: record.seq)  # the listings are in this order
    keep, world.keep_replaced_rows = world.keep_replaced_rows, True  # what was kept is kept
    for record in records:
        _enter(world, record)
    world.keep_replaced_rows = keep


def _enter(world: World, record: Domain | Profile | Space | App) -> None:
    world.continue_seq(record.seq)
    if isinstance(record, Domain):
        world.by_arn[record.arn.lower()] = record
        world.rows_by_lane[record.account, record.region].append(record)
        return
    if isinstance(record, App):
        world.add_app(record)
    elif isinstance(record, Profile):
        domain = world.domains[record.domain_id]
        domain.profiles[record.name.lower()] = record
        index_profile(world, domain, record)
    else:
        domain = world.domains[record.domain_id]
        domain.spaces[record.name] = record
        index_space(world, domain, record)
        if (owner := domain.profiles.get(record.owner.lower())) is not None:
            owner.spaces += 1
    world.set_due(record, record.due)
