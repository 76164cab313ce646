"""Domains of which nothing more can be learnt, since a read of planning met what ends their lane.

Credentials that expire while tags are read are no answer about tags. A plan that went on would say of each app that
its owner is not known, and a run that has nothing left to send would end well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.observed import ObservedFleet

if TYPE_CHECKING:
    from engine.executor.fleet_run import FleetRun


def lost_domains(run: FleetRun, observed: ObservedFleet) -> ObservedFleet:
    """Return the listed domains of the lanes that failed since, each with the error in the place of its rows.

    The run is told as well, so that the error is one of its report.
    """
    lost = {}
    for name, domain in observed.domains.items():
        link = run.links.get(name)
        failed = None if link is None or domain.error is not None else run.calls_of(link.lane).failed
        if failed is not None:
            run.note_listing_error(name, failed)
            lost[name] = replace(domain, apps={}, error=failed)
    return ObservedFleet(lost)
