"""What the apps of a fleet are made from, put into its world and attached to its domains.

What is of another account or region than the domain is left out: nobody asks for it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.made_from import SETTINGS_OF, Arn, image_of, version_of
from engine.simulator.world.ingredients import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.simulator.world.records import Domain
    from engine.simulator.world.world import World


def add_ingredients(world: World, fleet: DesiredFleet, domains: Mapping[str, Domain]) -> None:
    """Add images, versions, lifecycle configurations and roles that the fleet names and the world does not have."""
    for app in fleet.apps:
        if (domain := domains.get(app.key.domain)) is not None:
            _add_of_app(world, app, domain)
    for owner in fleet.owners:
        role = owner.execution_role
        if role is not None and owner.owner.domain in domains and role not in world.ingredients.roles:
            world.ingredients.roles.append(role)


def _add_of_app(world: World, app: DesiredApp, domain: Domain) -> None:
    spec, attached = app.spec, SETTINGS_OF.get(app.key.app_type, "")
    image = image_of(spec)
    if image is not None and _is_here(image, domain):
        known = world.ingredients.images.setdefault(image.text, Image(versions={"1": []}))
        number = version_of(spec.image_version_arn)
        aliases = known.versions.setdefault(str(1 if number is None else number), [])
        if spec.image_version_alias is not None and spec.image_version_alias not in aliases:
            aliases.append(spec.image_version_alias)
        _attach(domain, attached, "CustomImages", {"ImageName": image.name, "AppImageConfigName": image.name})
    script = Arn.of(spec.lifecycle_config_arn)
    if script is not None and _is_here(script, domain):
        world.ingredients.scripts.setdefault(script.text, app.key.app_type)
        _attach(domain, attached, "LifecycleConfigArns", script.text)


def _attach(domain: Domain, settings: str, member: str, value: Any) -> None:
    if settings:
        rows = domain.user_settings.setdefault(settings, {}).setdefault(member, [])
        if value not in rows:
            rows.append(value)


def _is_here(arn: Arn, domain: Domain) -> bool:
    return (arn.account, arn.region) == domain.lane
