"""One model of a service, read from its file: its shapes by name, and one clear error for a file that cannot be used.

Plain `json` reads it: importing a faster parser takes longer than reading the model that appfleet ships.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from engine.core.errors import ServiceModelError
from engine.core.limits import SERVICE_MODEL_MAX_BYTES
from engine.service_models.model_check import model_fault
from engine.service_models.search import DATA_PATH_VARIABLE, SHIPPED_FOLDER, find_model, is_users, shipped_model

# What was added after models that users may still have: only who uses it needs it.
MAY_BE_MISSING: Final = frozenset({"DescribeTrainingPlan"})
_GZIP: Final = 31  # a gzip header, and the largest window
SOURCE: Final = "x-appfleet-source"  # the key of a shipped model under which it says what it is from
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
USERS_FIRST: Final = f"{DATA_PATH_VARIABLE} and ~/.aws/models go before appfleet's own"
_USERS_HINT: Final = f"Replace or remove that file: {USERS_FIRST}"
_OWN_HINT: Final = "Install appfleet and its dependencies again"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A service's model. `content` is shared by all who read it: nobody changes it."""

    file: str
    content: dict[str, Any]

    @property
    def shapes(self) -> dict[str, Any]:
        """The shapes by name."""
        shapes: dict[str, Any] = self.content["shapes"]
        return shapes

    @property
    def is_shipped(self) -> bool:
        """Whether it is the one that appfleet ships."""
        return self.file.startswith(SHIPPED_FOLDER + os.sep)

    @property
    def name(self) -> str:
        """How messages name it: what it is from, or the user's own file."""
        source = self.content.get(SOURCE)
        return (
            f"the model of SageMaker from {source}" if self.is_shipped and source else f"the service model {self.file}"
        )

    def shape(self, name: str) -> dict[str, Any]:
        """Return a shape. Raises ServiceModelError where the model has none of that name."""
        shape: dict[str, Any] | None = self.shapes.get(name)
        if shape is None:
            raise unusable(self.file, f"it has no shape {name}")
        return shape


def service_model(service: str, data_path: str | None = None) -> ModelFile:
    """Return the model of a service, by botocore's name of it. Raises ServiceModelError for one that cannot be used.

    `data_path` lists folders that are searched first; without it AWS_DATA_PATH does.
    """
    named = os.environ.get(DATA_PATH_VARIABLE) if data_path is None else data_path
    return _service_model(service, named, os.environ.get("HOME"))


@cache
def _service_model(service: str, data_path: str | None, _home: str | None) -> ModelFile:
    file = find_model(service, data_path)
    if not file:
        raise ServiceModelError(f"no model of the service {service} was found", hint=_OWN_HINT)
    content = read_json(file)
    if is_users(file):
        shipped = shipped_model(service)
        needed = read_json(shipped)["operations"].keys() - MAY_BE_MISSING if shipped else ()
        fault = model_fault(content, sorted(needed))
        if fault:
            raise unusable(file, fault)
    return ModelFile(file, content)


@cache
def read_json(file: str) -> Any:
    """Return what a file of JSON holds, read once a process. Raises ServiceModelError, which names the file."""
    try:
        raw = _read(file)
        if file.endswith(".gz"):
            raw = _unpacked(raw, file)
        if len(raw) > SERVICE_MODEL_MAX_BYTES:
            raise unusable(file, f"it is larger than {SERVICE_MODEL_MAX_BYTES:,} bytes")
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise unusable(file, f"it is not valid JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise unusable(file, "it is nested too deeply") from None
    except UnicodeDecodeError:
        raise unusable(file, "it is not UTF-8") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unusable(file, f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None


def unusable(file: str, fault: str) -> ServiceModelError:
    """Return the error of a file that cannot be used, with what to do about it."""
    return ServiceModelError(f"the service model {file} cannot be used: {fault}", hint=_hint(file))


def _hint(file: str) -> str:
    return _USERS_HINT if is_users(file) else _OWN_HINT


def _read(file: str) -> bytes:
    descriptor = os.open(file, _FLAGS)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise unusable(file, "it is not a regular file")
        return stream.read(SERVICE_MODEL_MAX_BYTES + 1)


def _unpacked(raw: bytes, file: str) -> bytes:
    unpacking = zlib.decompressobj(wbits=_GZIP)
    data = unpacking.decompress(raw, SERVICE_MODEL_MAX_BYTES + 1)
    if not unpacking.eof and len(data) <= SERVICE_MODEL_MAX_BYTES:
        raise unusable(file, "it is not complete")
    return data
