"""`python -m appfleet`: the same as `appfleet`."""

from __future__ import annotations

import sys

from appfleet import main

sys.exit(main())
