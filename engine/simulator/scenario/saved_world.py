"""A world as the document that is saved, and back.

What is saved: everything that a caller could see, what is still to happen, and the state of chance. What is not: the
counts, and how full the request limits' token buckets are. Each part is checked against the annotations of the world's
own dataclasses, as if a stranger had written it. Not here: files (`snapshot`).
"""

from __future__ import annotations

import random
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.simulator.scenario.changes import SavedChange
from engine.simulator.world.catalog import PRICES
from engine.simulator.world.faults import FailureRule, FaultRule
from engine.simulator.world.identity_center import IdentityCenter
from engine.simulator.world.ingredients import Ingredients
from engine.simulator.world.quotas import Quotas
from engine.simulator.world.records import App, Domain
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.training_plans import TrainingPlan
from engine.simulator.world.values import Count, Number
from engine.simulator.world.world import Record, Timing, World

# What a world and its document call by the same name.
_SHARED: Final = (
    "now",
    "account",
    "scenario",
    "keep_replaced_rows",
    "timing",
    "quotas",
    "request_limits",
    "failures",
    "update_failures",
    "prices",
    "center",
    "external_ids",
    "ingredients",
)


class SavedWorld(BaseModel):
    """Everything of a world that is saved."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=True)  # built by the first use, not by import

    format_version: Literal[1]
    now: Number
    seq: Count
    account: str
    scenario: str
    keep_replaced_rows: bool
    random: tuple[int, tuple[int, ...], float | None]
    timing: Timing
    quotas: Quotas
    request_limits: dict[str, RequestLimit | None]
    failures: list[FailureRule]
    # A world that was saved before updates could fail has none that do.
    update_failures: list[FailureRule] = Field(default_factory=list)
    faults: list[FaultRule]
    # A world that was saved before there were prices has those of a new one.
    prices: dict[str, Number] = Field(default_factory=lambda: dict(PRICES))
    # The same holds for what is known of people.
    center: IdentityCenter = Field(default_factory=IdentityCenter)
    # The same holds for what apps are made from, for external ids, and for training plans.
    ingredients: Ingredients = Field(default_factory=Ingredients)
    external_ids: dict[str, str] = Field(default_factory=dict)
    training_plans: list[TrainingPlan] = Field(default_factory=list)
    domains: list[Domain]
    apps: list[App]
    scheduled: list[tuple[Number, SavedChange]]
    after_first_create: list[tuple[Number, SavedChange]]

    @classmethod
    def of(cls, world: World) -> SavedWorld:
        """Return the document of a world. It shares the world's records, so it must be written before they change."""
        return cls.model_construct(
            format_version=1,
            seq=world.next_seq(),
            random=world.rng.getstate(),
            faults=world.faults.rules,
            training_plans=list(world.training_plans.values()),
            domains=list(world.domains.values()),
            apps=[app for index in world.apps_by_domain.values() for app in index],
            scheduled=world.scheduled_changes(),
            after_first_create=world.after_first_create,
            **{name: getattr(world, name) for name in _SHARED},
        )

    def world(self) -> World:
        """Return the world. Raises ValueError, TypeError, OverflowError or KeyError for what makes none."""
        world = World(rng=random.Random())
        world.rng.setstate(self.random)
        for name in _SHARED:
            setattr(world, name, getattr(self, name))
        world.faults.rules = self.faults
        world.training_plans = {plan.arn: plan for plan in self.training_plans}
        self._enter_records(world)
        world.continue_seq(self.seq)
        for at, change in self.scheduled:
            world.schedule(at, change)
        world.after_first_create = list(self.after_first_create)
        return world

    def _enter_records(self, world: World) -> None:
        records: list[Record] = [*self.domains, *self.apps]
        for domain in self.domains:
            records += [*domain.profiles.values(), *domain.spaces.values()]
        world.keep_replaced_rows = True  # what was kept is kept
        for record in sorted(records, key=lambda record: record.seq):  # the listings are in this order
            world.continue_seq(record.seq)
            if isinstance(record, Domain):
                world.add_domain(record)
                continue
            if isinstance(record, App):
                world.add_app(record)
            else:
                world.add_owner(record)
            world.set_due(record, record.due)
        world.keep_replaced_rows = self.keep_replaced_rows
