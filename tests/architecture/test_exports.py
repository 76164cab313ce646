"""The public API: a dozen names, sorted, each there, and nothing heavy behind the first import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import appfleet
import engine

NAMES_MAX_COUNT = 20


def test_the_public_names_are_few_sorted_and_there() -> None:
    names = list(engine.__all__)
    assert names == sorted(names)
    assert 0 < len(names) <= NAMES_MAX_COUNT
    assert set(engine._HOMES) == set(names)
    for name in names:
        assert getattr(engine, name).__name__ == name


def test_the_package_of_the_library_has_the_same_names() -> None:
    assert appfleet.__all__ == engine.__all__ == dir(appfleet)
    for name in appfleet.__all__:
        assert getattr(appfleet, name) is getattr(engine, name)
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(appfleet, "no_such_name")  # noqa: B009 - mypy knows that it is not there


def test_both_packages_carry_their_types() -> None:
    for package in (appfleet, engine):
        assert Path(str(package.__file__)).with_name("py.typed").is_file()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        engine.no_such_name  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        "import appfleet, engine, sys; "
        "print([m for m in ('pydantic', 'aioboto3', 'structlog', 'asyncio') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=180)
    assert ran.stdout.strip() == "[]"
