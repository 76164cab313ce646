"""Any document of ours as JSON text: indented, in the order in which it was made, plain ASCII.

ASCII, because a script's locale must not decide whether a result can be written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_text(document: Mapping[str, Any]) -> str:
    """Give `document` as JSON, ending in a line break. NaN and infinities are refused: no parser takes them."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
