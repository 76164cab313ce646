"""The file in which `--simulate` keeps its world from one run to the next."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_open
from engine.core.errors import StateError
from engine.core.limits import SIMULATED_WORLD_MAX_BYTES
from engine.core.text import clean
from engine.simulator.scenario.saved_world import SavedWorld

if TYPE_CHECKING:
    from pathlib import Path

    from engine.simulator.world.world import World

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def dump_world(world: World) -> bytes:
    """Return the bytes of a world's document."""
    return SavedWorld.of(world).model_dump_json().encode()


def parse_world(data: bytes, where: str = "") -> World:
    """Return the world of such bytes. Raises StateError for what `dump_world` did not make."""
    try:
        return SavedWorld.model_validate_json(data).world()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        text = ": ".join([".".join(map(str, first["loc"])), reason] if first["loc"] else [reason])
        raise _unreadable(f"{where}: {clean(text)}") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unreadable(f"{where}: {type(error).__name__}: {clean(str(error))}") from error


def save_world(world: World, path: Path) -> None:
    """Write a world to a file, whole or not at all, readable by its owner alone. Raises StateError."""
    data = dump_world(world)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - a plain name of a file that this function made
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        why = "its folder does not exist" if error.errno == errno.ENOENT else error.strerror
        space = "Free some space, or choose" if error.errno in _NO_SPACE else "Choose"
        raise StateError(
            f"the simulator's world cannot be written to {path}: {why}",
            hint=f"{space} another folder with --state-dir, one that you may write to",
        ) from error


def load_world(path: Path) -> World | None:
    """Read a world from a file; None when there is none. A link is refused. Raises StateError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(f" from {path}: {error.strerror}") from error
    try:
        data = read_open(descriptor, str(path), SIMULATED_WORLD_MAX_BYTES)
    except FileProblem as problem:
        raise _unreadable(f": {problem.message}") from None
    finally:
        os.close(descriptor)
    return parse_world(data, f" from {path}")


def _unreadable(why: str) -> StateError:
    return StateError(
        f"the saved world of the simulator cannot be read{why}",
        hint="Delete it; the next run with --simulate begins with a new one",
    )
