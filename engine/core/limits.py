"""Every bound of the product, with its unit last in its name. `docs/limits.md` explains each one.

What a user may set has its default and its bounds in `settings`; what stands here cannot be set.
"""

from __future__ import annotations

from typing import Final

# Files that are read.
FLEET_FILE_MAX_BYTES: Final = 5_000_000
FLEET_FILES_MAX_COUNT: Final = 1_000
FLEET_TOTAL_MAX_BYTES: Final = 64_000_000
FLEET_APPS_MAX_COUNT: Final = 200_000
POLICY_FILE_MAX_BYTES: Final = 1_000_000
POLICY_FILES_MAX_COUNT: Final = 200
DIAGNOSTICS_SHOWN_MAX_COUNT: Final = 100
EXTENDS_MAX_DEPTH: Final = 32

# What the service allows.
APP_TAGS_MAX_COUNT: Final = 49  # the service takes 50, and appfleet:fleet is one of them
TAG_KEY_MAX_CHARS: Final = 128
TAG_VALUE_MAX_CHARS: Final = 256
LIST_PAGE_MAX_ROWS: Final = 100

# What is shown.
SHOWN_TEXT_MAX_CHARS: Final = 1_000

# Calls.
CALL_TOTAL_MAX_SECONDS: Final = 30.0
CONNECT_MAX_SECONDS: Final = 5.0
READ_MAX_SECONDS: Final = 20.0
ANSWER_MAX_BYTES: Final = 8_000_000
SCAN_PAGES_MAX_COUNT: Final = 10_000
SCAN_RESTARTS_MAX_COUNT: Final = 3
CLOCK_SKEW_MAX_SECONDS: Final = 300.0

# Settling.
SETTLE_TICK_MIN_SECONDS: Final = 3.0
SETTLE_TICK_MAX_SECONDS: Final = 15.0

# Pace: the adaptive throttle's floor, and how it moves.
RATE_FLOOR_PER_SECOND: Final = 0.1

# Interruption.
DRAIN_MAX_SECONDS: Final = 30.0
