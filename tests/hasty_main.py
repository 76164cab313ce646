"""The command line with the short waits of tests, in a process of its own and in every process that Dask starts for it.

A worker imports the main module of the process that starts it, and so becomes hasty as well.
"""

from __future__ import annotations

import sys

from tests.hasty import be_hasty

be_hasty()

if __name__ == "__main__":
    from engine.cli.main import main

    sys.exit(main())
