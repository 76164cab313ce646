"""A run as an OpenTelemetry trace and metrics, where the OTEL_ variables say where to: sent once, at its end.

The SDK is imported when there is something to send, and by nothing else. Not here: what is recorded (`recording`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from engine.core.limits import TELEMETRY_MAX_SECONDS
from engine.core.redact import Redactor
from engine.core.text import clean
from engine.ports.events import TelemetryFailed, TelemetrySent
from engine.ports.telemetry import NotExportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.app.recording import Recorder
    from engine.core.outcome import ApplyReport
    from engine.ports.events import Emit

THREAD_NAME: Final = "appfleet-telemetry"


async def exported(options: AppOptions, report: ApplyReport, emit: Emit) -> ApplyReport:
    """Send the run's trace and metrics, within their time; return the report with a note of what was not sent."""
    trace = options.trace
    if trace is None:
        return report
    secrets: list[str] = []
    result = await _in_thread(options, trace, report, secrets)
    if isinstance(result, int):
        emit(TelemetrySent(result))
        return report
    redactor = Redactor(secrets)
    message, hint = clean(options.redactor.text(redactor.text(result.message))), clean(result.hint)
    emit(TelemetryFailed(message, hint))
    return replace(report, notes=(*report.notes, f"Not exported by OpenTelemetry: {message}"))


async def _in_thread(
    options: AppOptions, trace: Recorder, report: ApplyReport, secrets: list[str]
) -> int | NotExportedError:
    """Send it in a thread that neither the loop nor the end of the process waits for; return how many spans it sent."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int | NotExportedError] = loop.create_future()

    def settle(result: int | NotExportedError) -> None:
        if not done.done():
            done.set_result(result)

    def work() -> None:
        try:
            result = _send(trace, report, secrets)
        except NotExportedError as error:
            _tell(loop, settle, error)
        except Exception as error:  # noqa: BLE001 - whatever a library raises costs the telemetry alone
            _tell(loop, settle, NotExportedError(f"{type(error).__name__}"))
        else:
            _tell(loop, settle, result)

    def stop(_signal: str) -> None:
        settle(NotExportedError("a signal cut it short"))

    Thread(target=work, name=THREAD_NAME, daemon=True).start()
    with options.signals.directed_to(stop, loop.call_soon_threadsafe):
        await asyncio.wait([done], timeout=TELEMETRY_MAX_SECONDS)
    settle(NotExportedError(f"no answer within {TELEMETRY_MAX_SECONDS:g} s", "Check OTEL_EXPORTER_OTLP_ENDPOINT"))
    return done.result()


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[[Any], None], result: object) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle, result)


def _send(trace: Recorder, report: ApplyReport, secrets: list[str]) -> int:
    from engine.adapters.telemetry import send

    return send(trace.spans(), report, trace.signals, secrets)
