"""A process of its own that sends one notice through Apprise. Started by its path; nothing of appfleet is imported.

Standard input holds the URL, the title and the text as JSON. Apprise runs apart from the run: a service that hangs can
be killed, what its plug-ins log stays here, and nothing of the library is imported by a run that does not need it.
"""

from __future__ import annotations

import json
import logging
import sys


def main() -> int:
    """Send it. Write why it was not sent, in one line, to standard error, and return an exit code."""
    asked = json.load(sys.stdin)
    import apprise  # noqa: PLC0415 - where it is missing, the process that started this one has said so

    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logging.raiseExceptions = False
    logger = logging.getLogger("apprise")
    logger.handlers[:] = [Kept(logging.WARNING)]
    logger.propagate = False
    for name in ("urllib3", "requests"):
        logging.getLogger(name).disabled = True
    sender = apprise.Apprise()
    if not sender.add(asked["url"]):
        return _failed("Apprise does not know this kind of URL, or the URL is not complete")
    sent = sender.notify(
        title=asked["title"], body=asked["text"], body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False
    )
    return 0 if sent else _failed(said[-1] if said else "Apprise did not send it, and did not say why")


def _failed(why: str) -> int:
    sys.stderr.write(" ".join(why.split()) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
