"""The manual page, made from the parser: the commands, their flags and what `appfleet --help` says.

`pages()` in tools/make_docs.py writes it to docs/man/appfleet.1, which the wheel installs to share/man/man1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from engine.cli.application import COMMANDS, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH_CHARS: Final = 100_000  # nothing is wrapped: that is for what shows the page
_PARAGRAPHS: Final = re.compile(r"\n\s*\n")
_HEAD: Final = """\
.\\" Written by tools/make_docs.py from the help of the command.
.TH APPFLEET 1 "" "appfleet" "User Commands"
.SH NAME
appfleet \\- create the SageMaker Studio apps that a fleet file declares
.SH SYNOPSIS
.B appfleet
.RI [ "GLOBAL FLAGS" ]
.I COMMAND
.RI [ FLAGS ]
.SH DESCRIPTION
appfleet reads a
.I fleet.toml
that says which SageMaker Studio apps each user and space should have, compares it with what SageMaker reports, and
creates what is missing, within the request rate and the quotas.
.PP
Global flags may be before or after the command. Every flag is also an environment variable.
"""
_TAIL: Final = """\
.SH FILES
.TP
.I fleet.toml
The fleet, in the working directory unless
.B \\-\\-file
names another.
.TP
.I .appfleet/
The state folder, beside the fleet file unless
.B \\-\\-state\\-dir
names another: the lock, the history of runs, and what was learned of the service. Losing it loses no app.
.SH SECURITY
Credentials come from where the AWS CLI finds them. They are never stored or shown.
.SH SEE ALSO
.BR aws (1),
.BR crontab (5),
.BR systemd.timer (5)
"""


def man_page() -> str:
    """Return docs/man/appfleet.1."""
    command = command_line()
    context = command.make_context("appfleet", [], resilient_parsing=True, max_content_width=_WIDTH_CHARS)
    return "".join(
        [
            _HEAD,
            ".SH GLOBAL FLAGS\n",
            *_flags(command, context),
            ".SH COMMANDS\n",
            *(text for name in COMMANDS for text in _command(name, command.get_command(context, name), context)),
            *_epilog(command.epilog),
            _TAIL,
        ]
    )


def _command(name: str, command: Any, above: Any) -> Iterator[str]:
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    yield f".SS {_plain(name)}\n"
    words = " ".join(command.collect_usage_pieces(context))
    yield f".B appfleet {_plain(name)}\n{_line(words)}"
    for paragraph in _PARAGRAPHS.split(command.help or ""):
        yield f".PP\n{_text(paragraph)}"
    yield from _flags(command, context)


def _flags(command: Any, context: Any) -> Iterator[str]:
    """Yield each argument and flag with its help."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and (context.parent is None or "--help" not in parameter.opts):  # once is enough
            yield f".TP\n.B {_plain(record[0])}\n{_text(record[1])}"


def _epilog(text: str) -> Iterator[str]:
    """Yield the exit codes and the examples; the sentence before them is in the description."""
    for block in text.split("\b\n")[1:]:
        title, _, lines = block.strip("\n").partition("\n")
        yield f".SH {title.rstrip(':').upper()}\n"
        for number, line in enumerate(lines.splitlines()):
            code, _, meaning = line.strip().partition(" ")
            if code.isdigit():
                yield f".TP\n.B {code}\n{_text(meaning)}"
            else:
                yield (".br\n" if number else "") + f".B {_plain(line.strip())}\n"


def _text(text: str) -> str:
    """Return a paragraph as one line of the source."""
    return _line(" ".join(text.replace("\b", "").split()))


def _line(text: str) -> str:
    """Return a line that troff takes for text, whatever it begins with."""
    plain = _plain(text)
    return ("\\&" if plain.startswith((".", "'")) else "") + plain + "\n"


def _plain(text: str) -> str:
    """Escape what troff would obey. Hyphens are ASCII, so that a flag can be copied from the page."""
    return text.replace("\\", "\\e").replace("-", "\\-")
