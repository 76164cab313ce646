"""What the fork server of the workers reads first: it leaves signals to the process that began it.

A terminal and a service manager send them to all processes. Without it the run would take its workers, which work on,
for dead. To import this module is to ignore signals, so nothing else does.
"""

from __future__ import annotations

import signal

from engine.adapters.signals import STOPPING

for _number in STOPPING:
    signal.signal(_number, signal.SIG_IGN)
