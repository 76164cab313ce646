"""Too few files or threads are said as such, with how to raise the limit."""

from __future__ import annotations

import errno
import resource

import pytest
from botocore.exceptions import HTTPClientError

from engine.adapters.aws.errors import translate
from engine.adapters.resources import require_open_files, shortage_of
from engine.core.errors import ShortageError, Unreachable
from engine.core.limits import OPEN_FILES_MIN_COUNT


def caused(error: BaseException) -> BaseException:
    """Return an error that came from another, in a group."""
    second = ValueError("second")
    second.__cause__ = error
    return BaseExceptionGroup("many", [KeyError("x"), second])


@pytest.mark.parametrize(
    ("error", "what", "how"),
    [
        (OSError(errno.EMFILE, "Too many open files", "x"), "This process may not open more files", "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files"), "This machine may not open more files", "ulimit -n"),
        (RuntimeError("can't start new thread"), "may not start more threads", "ulimit -u"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "may not start more threads", "TasksMax"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "no memory left", "memory"),
    ],
)
def test_what_is_short_is_named_however_deep_it_lies(error: BaseException, what: str, how: str) -> None:
    for raised in (error, caused(error)):
        found = shortage_of(raised)
        assert found is not None
        assert what in found.message
        assert how in found.hint


def test_other_errors_are_no_shortage() -> None:
    assert shortage_of(caused(OSError(errno.ENOENT, "no"))) is None
    assert shortage_of(RuntimeError("other")) is None


def test_a_limit_below_what_any_run_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    with pytest.raises(ShortageError, match=f"may open 8 files, and appfleet needs at least {OPEN_FILES_MIN_COUNT}"):
        require_open_files()
    for enough in (OPEN_FILES_MIN_COUNT, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _, enough=enough: (enough, enough))
        require_open_files()


def test_a_name_that_cannot_be_looked_up_for_want_of_threads_was_not_sent() -> None:
    error = translate("ListApps", HTTPClientError(error=RuntimeError("can't start new thread")))
    assert isinstance(error, Unreachable)
    assert "may not start more threads" in error.message
