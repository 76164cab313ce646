"""`[[notify]]`: every channel that wants to know of a run's end is told at once, twice at most, in bounded time.

What becomes of it changes nothing about the run but a note of its result.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError, UsageError
from engine.core.limits import (
    NOTICE_WHY_MAX_CHARS,
    NOTIFY_PAUSE_SECONDS,
    NOTIFY_TOTAL_MAX_SECONDS,
    NOTIFY_TRY_MAX_SECONDS,
    NOTIFY_TRY_STOPPED_SECONDS,
)
from engine.core.notice import is_wanted
from engine.core.redact import Redactor
from engine.core.text import clean
from engine.ports.events import NotifyFailed, NotifySent
from engine.ports.notify import Notice, NotSentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.app.options import AppOptions
    from engine.app.reaching import Clouds
    from engine.core.outcome import ApplyReport
    from engine.core.settings import NotifyChannel
    from engine.ports.events import Emit
    from engine.ports.notify import Receiver

_TRIES_COUNT: Final = 2
_SIMULATED: Final = NotSentError(
    "a simulated run makes no AWS calls", "Commands and URLs are notified of it; a topic is not", is_final=True
)


async def told(options: AppOptions, channels: Sequence[NotifyChannel], report: ApplyReport, emit: Emit) -> ApplyReport:
    """Tell every channel that wants to know of this end; return the report with a note of each that was not reached.

    A signal cuts it short. Raises nothing.
    """
    wanted = [one for one in channels if is_wanted(one, report)]
    try:
        events = await _events(options, wanted, report) if wanted else []
    except Exception as error:  # noqa: BLE001 - a bug here must not take the run's end with it
        events = [NotifyFailed("[[notify]]", 0, *_bug(error))]
    notes = []
    for event in events:
        emit(event)
        if isinstance(event, NotifyFailed):
            notes.append(f"Not notified: {event.channel}: {event.message}")
    return replace(report, notes=(*report.notes, *notes))


async def _events(
    options: AppOptions, wanted: Sequence[NotifyChannel], report: ApplyReport
) -> list[NotifySent | NotifyFailed]:
    """Tell them, all at once; return what became of each."""
    from engine.adapters.notify.by_url import secrets_of
    from engine.app.reaching import Clouds

    notice = _notice(options, report, needs_document=any(one.command for one in wanted))
    try_s = NOTIFY_TRY_STOPPED_SECONDS if report.interrupted else NOTIFY_TRY_MAX_SECONDS
    urls = [os.environ.get(one.url_env, "") for one in wanted if one.url_env]
    of_urls = Redactor(secret for url in urls for secret in secrets_of(url))

    def redact(text: str) -> str:
        return options.redactor.text(of_urls.text(text))

    async with Clouds(endpoint_url=options.endpoint_url, redactor=options.redactor) as clouds:
        telling = [_Telling(_name_of(one), notice, try_s, _opening(one, options, clouds), redact) for one in wanted]
        work = asyncio.gather(*(one.run() for one in telling))

        def stop(_signal: str) -> None:
            work.cancel()

        with options.signals.directed_to(stop, asyncio.get_running_loop().call_soon_threadsafe):
            await asyncio.wait([work], timeout=NOTIFY_TOTAL_MAX_SECONDS)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    return [one.event for one in telling]


@dataclass(slots=True)
class _Telling:
    """One channel being told, and what became of it so far."""

    channel: str
    notice: Notice
    try_s: float
    open: Callable[[], Awaitable[Receiver]]
    redact: Callable[[str], str]
    event: NotifySent | NotifyFailed = field(init=False)

    def __post_init__(self) -> None:
        self.event = NotifyFailed(self.channel, 0, "a signal or the time for all notices cut it short")

    async def run(self) -> None:
        """Try it, and once more where that may help."""
        for attempt in range(1, _TRIES_COUNT + 1):
            error = await self._try()
            if error is None:
                self.event = NotifySent(self.channel, attempt)
                return
            # Cut when it is redacted: the half of a secret is no longer known as one.
            message = clean(self.redact(error.message), NOTICE_WHY_MAX_CHARS)
            self.event = NotifyFailed(self.channel, attempt, message, clean(error.hint))
            if error.is_final:
                return
            if attempt < _TRIES_COUNT:
                await asyncio.sleep(NOTIFY_PAUSE_SECONDS)

    async def _try(self) -> NotSentError | None:
        """Send it; return why it was not sent, or None."""
        try:
            async with asyncio.timeout(self.try_s):
                receiver = await self.open()
                await receiver.send(self.notice)
        except NotSentError as error:
            return error
        except TimeoutError:
            return NotSentError(f"it did not accept the notice within {self.try_s:g} s", "Check whether it works")
        except CloudError as error:
            from engine.adapters.aws.topics import not_sent

            return not_sent(error)
        except UsageError as error:
            return NotSentError(error.message, error.hint, is_final=True)
        except Exception as error:  # noqa: BLE001 - the other channels are worth more than what is wrong with this one
            return NotSentError(*_bug(error), is_final=True)
        return None


def _bug(error: Exception) -> tuple[str, str]:
    return f"{type(error).__name__}, which is a bug in appfleet", "Report it"


def _notice(options: AppOptions, report: ApplyReport, *, needs_document: bool) -> Notice:
    from engine.render.json_text import json_text
    from engine.render.notice_text import notice_text, notice_title

    text = options.redactor.text
    return Notice(
        text(notice_title(report, is_simulated=options.simulate is not None)),
        text(notice_text(report)),
        report.run_id,
        json_text(report.document()).encode() if needs_document else b"",
    )


def _opening(channel: NotifyChannel, options: AppOptions, clouds: Clouds) -> Callable[[], Awaitable[Receiver]]:
    """Return what opens a channel. A command is named as its shell would find it from the folder of the fleet file."""
    from engine.adapters.notify.by_url import UrlReceiver
    from engine.adapters.notify.command import CommandReceiver

    folder = options.fleet_file.absolute().parent

    async def opened() -> Receiver:
        if channel.command:
            return CommandReceiver(channel.command, folder)
        if channel.url_env:
            return UrlReceiver(channel.url_env, os.environ.get(channel.url_env, ""), folder)
        if options.simulate is not None:
            raise _SIMULATED
        return await clouds.topic(channel.sns)

    return opened


def _name_of(channel: NotifyChannel) -> str:
    """Return what a channel is called: arguments of a command may hold what nobody should read."""
    return clean(channel.command[0] if channel.command else channel.sns or channel.url_env)
