from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.recipes.platforms import machine_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root() -> Iterator[Path]:
    """Yield a folder that stands for a machine's root."""
    yield from machine_root()
