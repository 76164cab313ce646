"""Tables of domains that lost many rows since the last run: more often a file that was cut off than what was meant.

What is gone leaves the fleet: nothing in it is listed, so nothing is deleted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.finding import Finding
from engine.core.limits import TABLE_ROWS_GONE_MAX_SHARE

TABLES: Final = "tables"  # the rule of a finding, and the part of a run that is kept


def shrunk_tables(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return a finding for each table of which more than the bound is gone; both count rows by file."""
    return tuple(
        Finding(
            TABLES,
            "advisory",
            "",
            f"{file} has {rows:,} rows, and had {before[file]:,} at the last run: domains that are gone from it leave "
            "the fleet, and nothing in them is listed or deleted. If that is not meant, restore the file",
            file,
        )
        for file, rows in sorted(now.items())
        if before.get(file, 0) - rows > TABLE_ROWS_GONE_MAX_SHARE * before.get(file, 0)
    )
