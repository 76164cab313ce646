"""What follows a run: its report is kept, whoever wants to know is notified, traces are sent. Nothing changes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.options import AppOptions
    from engine.core.outcome import ApplyReport
    from engine.core.settings import NotifyChannel
    from engine.ports.events import Emit


async def afterwards(
    options: AppOptions, channels: Sequence[NotifyChannel], report: ApplyReport, emit: Emit
) -> ApplyReport:
    """Keep the report, notify, send traces; return the report with links to it, and notes of what was not done."""
    if options.report_to is not None:
        from engine.app.keeping import kept

        report = await kept(options, report, emit)
    if channels:
        from engine.app.notifying import told

        report = await told(options, channels, report, emit)
    if options.trace is not None:
        from engine.app.tracing import exported

        report = await exported(options, report, emit)
    return report


def after_an_early_end(options: AppOptions, report: ApplyReport, emit: Emit, *, notify: bool) -> ApplyReport:
    """Do it for a run that ended before its files were read, or while they were: its policies may be right."""
    channels: tuple[NotifyChannel, ...] = ()
    if notify:
        from engine.config.fleet.fleet_file import find_policies
        from engine.config.policy.policy_file import channels_in

        folder, files = find_policies(options.fleet_file)
        channels = channels_in(files, folder, options.policies)
    if not channels and options.report_to is None and options.trace is None:
        return report
    return asyncio.run(afterwards(options, channels, report, emit))
