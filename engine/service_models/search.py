"""Where models of services are: which folders, in which order, and which file in them describes a service.

First the folders that the user names in AWS_DATA_PATH, then ~/.aws/models, then the models that appfleet ships, then
those of the installed botocore, which is found and not imported. The layout of each folder is botocore's:
SERVICE/API-VERSION/service-2.json or service-2.json.gz.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

DATA_PATH_VARIABLE: Final = "AWS_DATA_PATH"
SHIPPED_FOLDER: Final = str(Path(__file__).parent / "data")
MODEL: Final = "service-2"
_ENDINGS: Final = (".json", ".json.gz")


def user_folders(data_path: str | None) -> tuple[str, ...]:
    """Return the folders of the user: those that `data_path` lists, as AWS_DATA_PATH does, then ~/.aws/models."""
    # An empty entry, and a home that is not known, would be in the working directory, which nobody meant.
    named = [os.path.expandvars(part) for part in (data_path or "").split(os.pathsep) if part]
    full = [os.path.expanduser(part) for part in (*named, "~/.aws/models")]  # noqa: PTH111 that raises without a home
    return tuple(folder for folder in full if not folder.startswith("~"))


def botocore_folder() -> str:
    """Return the folder of the installed botocore's models, or an empty text where there is none."""
    spec = find_spec("botocore")
    return str(Path(spec.origin).parent / "data") if spec is not None and spec.origin else ""


def find_model(service: str, data_path: str | None) -> str:
    """Return the file of the first folder that describes a service, in its newest version; empty when none does."""
    own = (_newest(folder, service) for folder in user_folders(data_path))
    return next(filter(None, own), "") or installed_model(service)


def installed_model(service: str) -> str:
    """Return the file that appfleet ships of a service, else botocore's; empty where neither has one."""
    return shipped_model(service) or _newest(botocore_folder(), service)


def shipped_model(service: str) -> str:
    """Return the file that appfleet ships of a service; empty where it ships none."""
    return _newest(SHIPPED_FOLDER, service)


def is_users(file: str) -> bool:
    """Whether a model is the user's own, and so may be broken, or older or newer than what is tested."""
    installed = [folder + os.sep for folder in (SHIPPED_FOLDER, botocore_folder()) if folder]
    return not file.startswith(tuple(installed))


def _newest(folder: str, service: str) -> str:
    """Return the newest file of a folder; the service's folder where that may not be read, so that it is named."""
    try:
        versions = sorted(os.listdir(f"{folder}/{service}"), reverse=True)  # noqa: PTH208 names, no paths
        for version in versions:
            for ending in _ENDINGS:
                if _is_there(file := f"{folder}/{service}/{version}/{MODEL}{ending}"):
                    return file
    except PermissionError:
        return f"{folder}/{service}"
    except (OSError, ValueError):  # ValueError: a NUL in its name
        pass
    return ""


def _is_there(file: str) -> bool:
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
