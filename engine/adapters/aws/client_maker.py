"""The door to aioboto3: no other module imports it, and leaving it is one line here.

Its session makes clients by asking aiobotocore's session for them, which is the one that is ours. Where it is not
installed, clients come from there without it: the adapters are tested so too, with an aiobotocore that aioboto3 does
not allow.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

HAS_AIOBOTO3 = find_spec("aioboto3") is not None
if HAS_AIOBOTO3:
    import aioboto3


class ClientMaker(Protocol):
    """Returns the context of one client."""

    def __call__(self, service: str, *, region_name: str) -> Any:
        """Return the context of a client of `service` in a region."""


def client_maker(session: AioSession) -> ClientMaker:
    """Return what makes the clients of a session."""
    made: ClientMaker = aioboto3.Session(botocore_session=session).client if HAS_AIOBOTO3 else session.create_client
    return made
