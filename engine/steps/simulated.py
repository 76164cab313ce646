"""A simulated SageMaker for one command: its world, kept in the state folder from one command to the next."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.loading import load
from engine.simulator.fleet_world import extend_for_fleet, require_domain, world_for_fleet
from engine.simulator.scenario import load_scenario
from engine.simulator.snapshot import load_world, save_world
from engine.simulator.thread_runner import SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.app import AppOptions
    from engine.loading import Loaded
    from engine.simulator.world import World

IMPORT: Final = "import"
WORLD_NAME: Final = "simulated-world.json"
SIMULATED_KEY: Final = "simulated"


@contextmanager
def simulated(options: AppOptions, loaded: Loaded) -> Iterator[str]:
    """Serve a simulated SageMaker on loopback for this command; its world is kept in the state folder."""
    kept = options.state_path / WORLD_NAME
    world = _world(options, loaded, kept)
    # The simulator takes any key; these are set so that no real one is looked for, let alone sent.
    secrets = {"AWS_ACCESS_KEY_ID": SIMULATED_KEY, "AWS_SECRET_ACCESS_KEY": SIMULATED_KEY}
    before = {name: os.environ.pop(name, None) for name in (*secrets, "AWS_SESSION_TOKEN", "AWS_PROFILE")}
    os.environ.update(secrets)
    try:
        with SimulatorThread(world) as simulator:
            yield simulator.url
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        save_world(world, kept)


def _world(options: AppOptions, loaded: Loaded, kept: Path) -> World:
    """Return the world that the state folder holds, or a new one, with what the fleet declares and the scenario sets.

    An import looks at a world and declares nothing in it: it raises UsageError for a domain that no world has.
    """
    world = load_world(kept)
    declared = loaded
    if world is None and options.command == IMPORT and options.fleet_file.exists():
        declared = load(options.fleet_file, datetime.now(UTC).date())
    with_owners = not declared.settings.create_owners
    if world is None:
        world = world_for_fleet(declared.fleet, time.time(), with_owners=with_owners)
    elif options.command != IMPORT:
        # People that the file has declared since, unless the run makes them itself.
        extend_for_fleet(world, declared.fleet, time.time(), with_owners=with_owners)
    if options.simulate:
        load_scenario(Path(options.simulate)).apply_to(world, time.time())
    if options.command == IMPORT:
        require_domain(world, loaded.fleet.domains[0].domain_id)
    return world
