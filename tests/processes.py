"""The processes below one, as Linux shows them: for tests that end one of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

_PROC = Path("/proc")


def workers_of(pid: int) -> list[int]:
    """Return the workers that a run started: the children of its fork server, and not the server itself."""
    below: defaultdict[int, list[int]] = defaultdict(list)
    for one in _PROC.iterdir():
        if one.name.isdecimal() and (found := _state_and_parent(int(one.name))) is not None:
            below[found[1]].append(int(one.name))
    return sorted(worker for child in below[pid] for worker in below[child] if is_alive(worker))


def all_below(pid: int) -> list[int]:
    """Return a process and all that it started, themselves or by others."""
    found = [pid]
    parents = {int(one.name): _state_and_parent(int(one.name)) for one in _PROC.iterdir() if one.name.isdecimal()}
    for above in found:
        found += [one for one, known in parents.items() if known is not None and known[1] == above]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is there, and not only its exit code."""
    found = _state_and_parent(pid)
    return found is not None and found[0] != "Z"


def _state_and_parent(pid: int) -> tuple[str, int] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, parent, *_ = text.rpartition(")")[2].split()
    return state, int(parent)
