"""The ARNs of what an app is made from, taken apart: an image, a version of one, a lifecycle configuration, a role.

Not here: whether they are there (`preflight`), or the form of an ARN in a fleet file (`config.service.fields`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.core.desired import AppSpec

# In the settings of a domain or a profile: what is attached for apps of a type.
SETTINGS_OF: Final[Mapping[str, str]] = {
    "JupyterLab": "JupyterLabAppSettings",
    "CodeEditor": "CodeEditorAppSettings",
    "KernelGateway": "KernelGatewayAppSettings",
    "JupyterServer": "JupyterServerAppSettings",
    "RSessionGateway": "RSessionAppSettings",
}
_PARTS_COUNT: Final = 6  # arn:PARTITION:SERVICE:REGION:ACCOUNT:KIND/NAME
_VERSION: Final = "image-version/"


class Arn(NamedTuple):
    """An ARN, with the parts that matter here. `name` is what stands behind the last slash."""

    text: str
    region: str
    account: str
    name: str

    @classmethod
    def of(cls, text: str | None) -> Arn | None:
        """Read an ARN; None for everything else, `"None"` included."""
        parts = (text or "").split(":", _PARTS_COUNT - 1)
        if len(parts) != _PARTS_COUNT or parts[0] != "arn":
            return None
        return cls(text or "", parts[3], parts[4], parts[5].rpartition("/")[2])


def image_of(spec: AppSpec) -> Arn | None:
    """Return the image that an app names, by itself or by a version of it."""
    version = Arn.of(spec.image_version_arn)
    if version is None:
        return Arn.of(spec.image_arn)
    head, found, rest = version.text.rpartition(_VERSION)
    return Arn.of(f"{head}image/{rest.partition('/')[0]}") if found else None


def version_of(text: str | None) -> int | None:
    """Return the number of an image version's ARN; None for everything else."""
    arn = Arn.of(text)
    return int(arn.name) if arn is not None and arn.name.isdecimal() else None
