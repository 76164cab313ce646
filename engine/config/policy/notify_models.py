"""The shape of `[[notify]]` in a policy file: whom a run tells of its end, and of which ends.

Not here: what is sent (`render.notice_text`), how (`adapters.notify`).
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from engine.config.fleet.fleet_models import Table
from engine.config.reading.problems import problem, show_value
from engine.core.limits import NOTIFY_COMMAND_MAX_CHARS, NOTIFY_COMMAND_MAX_COUNT
from engine.core.settings import NotifyChannel

When = Literal["failed", "incomplete", "denied", "interrupted", "changed", "always"]

_CHANNELS: Final = ("command", "sns", "url_env")
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z]{2,8}(?:-[a-z]+){1,3}-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_-]{1,251}")
_FIFO: Final = ".fifo"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HINT: Final = 'Set one of command = ["/usr/local/bin/page"], sns = "arn:aws:sns:…" and url_env = "APPFLEET_NOTIFY_URL"'


def _check_when(words: list[str]) -> list[str]:
    if not words:
        raise problem("the list is empty, so nobody is ever notified", 'Use "always" for every end, or remove `when`')
    return words


def _check_command(words: list[str]) -> list[str]:
    if not words or not words[0].strip():
        raise problem("the command is empty", 'Write the program and its arguments: ["/usr/local/bin/page", "--team"]')
    if len(words) > NOTIFY_COMMAND_MAX_COUNT or sum(map(len, words)) > NOTIFY_COMMAND_MAX_CHARS:
        raise problem(
            f"the command has more than {NOTIFY_COMMAND_MAX_COUNT} words or {NOTIFY_COMMAND_MAX_CHARS:,} characters",
            "Put it into a script, and name the script",
        )
    if any("\0" in word for word in words):
        raise problem("a word of the command contains a NUL character", "Remove it")
    return words


def _check_topic(text: str) -> str:
    if not _TOPIC.fullmatch(text.removesuffix(_FIFO)):
        raise problem(
            f"{show_value(text)} is not the ARN of an SNS topic",
            "Write it like arn:aws:sns:eu-west-1:111122223333:ml-platform",
        )
    return text


def _check_variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        # Not shown: whoever puts the URL itself here has put its token into the file already.
        raise problem(
            "this is not the name of an environment variable",
            "Name the variable that holds the URL, such as APPFLEET_NOTIFY_URL, and keep the URL out of the file",
        )
    return text


class NotifyTable(Table):
    """One `[[notify]]`."""

    when: Annotated[list[When], AfterValidator(_check_when)] = Field(
        default=["failed", "incomplete", "denied", "interrupted"],
        description="Ends to notify about: results of a run, changed, or always.",
    )
    command: Annotated[list[str], AfterValidator(_check_command)] | None = Field(
        None, description="A program and its arguments, run without a shell; the report is JSON on standard input."
    )
    sns: Annotated[str, AfterValidator(_check_topic)] | None = Field(
        None, description="The ARN of an SNS topic, published to with the caller's own credentials."
    )
    url_env: Annotated[str, AfterValidator(_check_variable)] | None = Field(
        None, description="The environment variable that holds an Apprise URL (extra `notify`)."
    )

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        named = [name for name in _CHANNELS if getattr(self, name) is not None]
        if not named:
            raise problem("this table notifies nobody", _HINT)
        if len(named) > 1:
            raise problem(f"{' and '.join(named)} exclude each other", "Write one [[notify]] for each")
        return self

    def channel(self) -> NotifyChannel:
        """Return what it says."""
        return NotifyChannel(frozenset(self.when), tuple(self.command or ()), self.sns or "", self.url_env or "")
