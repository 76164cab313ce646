"""What an app costs an hour, by the policy's price table.

A price that is not known is None here and +infinity in a sum: an unknown cost never fits a limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.core.desired import AppSpec, DesiredApp
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.settings import STORAGE_PRICE
from engine.core.training_plans import plan_arn


class PriceBook:
    """Look-up of `Settings.prices`: a region's own price before the one of all regions.

    What is priced is an instance type, or an app type for apps that name none, and the storage of spaces.
    """

    __slots__ = ("_dearest", "_prices")

    def __init__(self, prices: Iterable[tuple[str, str, float]]) -> None:
        self._prices = {(region, kind): usd for region, kind, usd in prices}
        self._dearest: dict[tuple[str, str, str | None, tuple[str, ...]], float] = {}

    def price_of(self, region: str, app_type: str, spec: AppSpec) -> float | None:
        """Return USD per hour that an app with this spec adds to the bill, or None.

        The instances of a training plan are paid with the plan, whether an app runs on them or not.
        """
        return 0.0 if is_reserved(spec) else self.price(region, app_type, spec.instance_type or "")

    def price(self, region: str, app_type: str, instance_type: str) -> float | None:
        """Return USD per hour, or None.

        KernelGateway's `system` costs what the service makes of it. Any other app on `system`, or without an
        instance type, has the price of `system` or else that of its app type.
        """
        if instance_type == SYSTEM and app_type == KERNEL_GATEWAY:
            instance_type = SYSTEM_KERNEL_GATEWAY_TYPE
        found = self._of(region, instance_type)
        return self._of(region, app_type) if found is None and instance_type in {"", SYSTEM} else found

    def storage(self, region: str) -> float | None:
        """Return USD for a GB of a space's volume and a month, or None."""
        return self._of(region, STORAGE_PRICE)

    def _of(self, region: str, priced: str) -> float | None:
        own = self._prices.get((region, priced))
        return self._prices.get(("", priced)) if own is None else own

    def dearest(self, region: str, app: DesiredApp) -> float:
        """Return USD per hour of the dearest type that `app` may run on; +infinity where one has no price."""
        if is_reserved(app.spec):
            return 0.0
        asked = (region, app.key.app_type, app.spec.instance_type, app.fallback)
        found = self._dearest.get(asked)
        if found is None:
            types = (app.spec.instance_type or "", *app.fallback)
            prices = [self.price(region, app.key.app_type, kind) for kind in types]
            found = max(math.inf if usd is None else usd for usd in prices)
            self._dearest[asked] = found
        return found


def is_reserved(spec: AppSpec) -> bool:
    """Whether an app runs on the instances of a training plan."""
    return plan_arn(spec.training_plan_arn) is not None
