"""The error answer of a simulated service: a code, a message and an HTTP status."""

from __future__ import annotations

from typing import Final

VALIDATION: Final = "ValidationException"
IN_USE: Final = "ResourceInUse"
LIMIT: Final = "ResourceLimitExceeded"
NOT_FOUND: Final = "ResourceNotFound"


class ServiceError(Exception):
    """What the service answers instead of a result. `code` and `message` are the service's own words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
