"""`python -m engine`: the same as `appfleet`, by the same entry."""

from __future__ import annotations

import sys

from appfleet import main

sys.exit(main())
