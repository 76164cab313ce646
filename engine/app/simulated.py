"""A simulated SageMaker for one command: its world, kept in the state folder from one command to the next."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.app.loading import load
from engine.core.change import Action
from engine.core.errors import UsageError
from engine.core.forecast_inputs import Typical
from engine.core.identity import SPACE, USER
from engine.core.limits import SETTLE_TICK_MIN_SECONDS
from engine.service_models.search import DATA_PATH_VARIABLE
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.scenario.fleet_world import extend_for_fleet, require_domain, world_for_fleet
from engine.simulator.scenario.scenario import load_scenario
from engine.simulator.scenario.snapshot import load_world, save_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.core.desired import DesiredDomain
    from engine.simulator.world.world import World

IMPORT: Final = "import"
WORLD_NAME: Final = "simulated-world.json"
# Not a word that stands in answers: what is a key is taken out of everything that is shown.
SIMULATED_KEY: Final = "key-of-the-simulated-account"


@dataclass(frozen=True, slots=True)
class Simulation:
    """Where a simulated SageMaker answers, and how long things take in its world, for forecasts."""

    url: str
    typical: Typical
    owner_durations: Mapping[tuple[str, Action], tuple[float, ...]]

    def known(self, domains: Iterable[DesiredDomain]) -> tuple[DesiredDomain, ...]:
        """Return domains as a simulated world knows them: no profile, and a role in the account that each names."""
        return tuple(in_simulation(domain) for domain in domains)


@contextmanager
def simulated(options: AppOptions, loaded: Loaded) -> Iterator[Simulation]:
    """Serve a simulated SageMaker on loopback for this command; its world is kept in the state folder."""
    if options.state_url is not None:
        raise UsageError(
            "--simulate keeps its world in a folder, and --state-dir names a store",
            hint="Leave --state-dir out, or name a folder",
        )
    kept = options.state_path / WORLD_NAME
    world = _world(options, loaded, kept)
    with _variables_of_the_simulation():
        try:
            with SimulatorThread(world) as simulator:
                yield _simulation(simulator.url, world)
        finally:
            save_world(world, kept)


@contextmanager
def _variables_of_the_simulation() -> Iterator[None]:
    """Remove every AWS variable from the environment but that of service models; set keys that the simulator accepts.

    So no real key is looked for, let alone sent, and nothing that is wrong with this machine's AWS configuration
    matters. The models have to be those that the fleet file was checked against.
    """
    given = {
        name: value for name, value in os.environ.items() if name.startswith("AWS_") and name != DATA_PATH_VARIABLE
    }
    ours = {
        "AWS_ACCESS_KEY_ID": SIMULATED_KEY,
        "AWS_SECRET_ACCESS_KEY": SIMULATED_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name in given:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(given)


def _world(options: AppOptions, loaded: Loaded, kept: Path) -> World:
    """Return the world that the state folder holds, or a new one, with what the fleet declares and the scenario sets.

    An import looks at a world and declares nothing in it: it raises UsageError for a domain that no world has.
    """
    world = load_world(kept)
    declared = loaded
    if world is None and options.command == IMPORT and options.fleet_file.exists():
        declared = load(options.fleet_file, datetime.now(UTC).date(), organization=options.policies)
    with_owners = not declared.settings.create_owners
    if world is None:
        world = world_for_fleet(declared.fleet, time.time(), with_owners=with_owners)
    elif options.command != IMPORT:
        # People that the file has declared since, unless the run makes them itself.
        extend_for_fleet(world, declared.fleet, time.time(), with_owners=with_owners)
    if options.simulate:
        load_scenario(Path(options.simulate)).apply_to(world, time.time())
    if options.command == IMPORT:
        for domain in loaded.fleet.domains:
            require_domain(world, domain.domain_id)
    return world


def _simulation(url: str, world: World) -> Simulation:
    """Return what a forecast may know: the bounds that the world draws its times between."""
    timing = world.timing
    owners = {
        (USER, Action.CREATE): timing.profile_pending,
        (USER, Action.UPDATE): timing.profile_updating,
        (USER, Action.DELETE): timing.profile_deleting,
        (SPACE, Action.CREATE): timing.space_pending,
        (SPACE, Action.UPDATE): timing.space_updating,
        (SPACE, Action.DELETE): timing.space_deleting,
    }
    # A listing shows it later: how much follows from how often one comes.
    shown = {kind: tuple(one + SETTLE_TICK_MIN_SECONDS / 2 for one in bounds) for kind, bounds in owners.items()}
    return Simulation(url, Typical(timing.app_pending, timing.app_deleting, are_known=True), shown)


def in_simulation(domain: DesiredDomain) -> DesiredDomain:
    """Return a domain as a simulated world knows it: no profile, and a role in the account that it names."""
    role = None if domain.account is None else f"arn:aws:iam::{domain.account}:role/simulated"
    return replace(domain, profile=None, role_arn=role, external_id=None)
