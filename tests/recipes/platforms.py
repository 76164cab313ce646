"""What runs the recipes: a folder that stands for a machine's root, and what each platform lays out and does in it.

The commands are the recipes' own. Only their absolute paths are put below the folder, and the simulated service is
switched on by a variable. As root they run as the user that the platform runs them as, so that modes and owners count.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.architecture.files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECIPES: Final = ROOT / "docs" / "recipes"
RUN_MAX_SECONDS: Final = 180
APPFLEET: Final = Path(sys.executable).with_name("appfleet")
USER_ID: Final = 10001
SETPRIV: Final = shutil.which("setpriv")
OTHER_USERS: Final = os.geteuid() == 0 and SETPRIV is not None
# Such a user owns nothing. It may read everything, since the Python of these tests may be in somebody's closed home.
_READING: Final = "-all,+dac_read_search"
_ABSOLUTE: Final = re.compile(r"(?<![\w./])/(srv|var|fleet|state)(?=/)")

FLEET: Final = """schema  = 1
name    = "nightly"
include = ["teams/*.toml"]
[domains.research]
id      = "d-abcd1234efgh"
region  = "eu-west-1"
account = "111122223333"
[apps.lab]
type          = "JupyterLab"
instance_type = "ml.t3.medium"
"""
TEAM: Final = """[domains.research.teams.vision]
members_file = "vision.csv"
[domains.research.teams.vision.spaces]
"{member}-lab" = { apps = ["lab"] }
"""
EXECUTION: Final = """[execution]
create_rate = 100
create_rate_max = 100
[observe]
first_after = "100ms"
second_after = "100ms"
[safety]
quarantine_after = 1
"""
WELL: Final = "schema = 1\n[times]\napp_pending = 0.05\n"
FAILING: Final = WELL + '[[failure]]\nreason = "internal"\nowner = "ana-lab"\n'
APPS: Final = ("research/space/ana-lab/JupyterLab/default", "research/space/bo-lab/JupyterLab/default")


def write_fleet(folder: Path) -> None:
    """Write a fleet whose parts lie in folders: an included team, its members, a policy."""
    files = {
        "fleet.toml": FLEET,
        "teams/vision.toml": TEAM,
        "teams/vision.csv": "user\nana\nbo\n",
        "policies/execution.toml": EXECUTION,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class Machine:
    """A machine: its root folder, the variables that its platform gives a command, and the user that it runs as."""

    root: Path
    variables: Mapping[str, str]
    user: int = USER_ID
    simulated: str = WELL
    _nights: int = field(default=0, init=False)

    def run(self, command: str, cwd: Path, *, by: str = "/bin/sh", **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a recipe to its end, with the platform's variables and no others."""
        scenario = self.root / "scenario.toml"
        scenario.write_text(self.simulated)
        environment = {**self.variables, **more, "APPFLEET_SIMULATE": str(scenario)}
        return subprocess.run(
            [*self._as_user(), by, "-c", self.below(command)],
            cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=RUN_MAX_SECONDS,
            umask=0o022, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _as_user(self) -> list[str]:
        if not OTHER_USERS:
            return []
        who = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return [str(SETPRIV), *who, *(f"--{kind}={_READING}" for kind in ("inh-caps", "ambient-caps", "bounding-set"))]

    def below(self, command: str) -> str:
        """Put the absolute paths of a command below the root."""
        command = command.replace("/usr/local/bin/appfleet", str(APPFLEET))
        return _ABSOLUTE.sub(rf"{self.root}/\1", command)

    def make(self, name: str, *, mode: int = 0o755, ours: bool = False) -> Path:
        """Make a folder, the user's own or root's."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        if ours:
            self.give(folder)
        folder.chmod(mode)
        return folder

    def give(self, path: Path, user: int | None = None) -> None:
        """Hand a file, or a folder with all that is in it, to the user of the runs."""
        if OTHER_USERS:
            new = self.user if user is None else user
            for one in (path, *path.rglob("*")):
                os.chown(one, new, new, follow_symlinks=False)


def machine_root() -> Iterator[Path]:
    """Yield a root folder that every user may look into; those of pytest are closed to other users."""
    root = Path(tempfile.mkdtemp(prefix="appfleet-machine-"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root)


def mount_config_map(folder: Path, files: Mapping[str, bytes]) -> None:
    """Lay files out as kubelet does: each name a link into `..data`, itself a link to a folder named for the time."""
    generation = folder / "..2026_11_29_01_15_00.1234567890"
    generation.mkdir(parents=True)
    for name, data in files.items():
        (generation / name).write_bytes(data)
        (generation / name).chmod(0o644)
        (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to(generation.name)


def mount_with_fs_group(volume: Path, group: int) -> None:
    """Do what kubelet does to a volume with fsGroup at each mount: all to the group, and open to it; owners stay."""
    for path in (volume, *volume.rglob("*")):
        if path.is_symlink():
            continue
        if OTHER_USERS:
            os.chown(path, -1, group)
        path.chmod(path.stat().st_mode & 0o7777 | (0o2770 if path.is_dir() else 0o660))
