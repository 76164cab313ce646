"""Which package named `engine` Python imports: appfleet's own, or another one that comes before it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "engine"
_OURS: Final = Path(__file__).resolve().parent.parent / _NAME / "__init__.py"


def other_engine() -> str:
    """Return where the package is that Python imports, if it is not the one beside appfleet; otherwise nothing."""
    imported = sys.modules.get(_NAME)
    if imported is not None:
        origin = getattr(imported, "__file__", None) or repr(imported)
    else:
        found = importlib.util.find_spec(_NAME)
        if found is None or found.origin is None:  # a folder without __init__.py hides nothing
            return ""
        origin = found.origin
    if Path(origin).resolve() == _OURS:
        return ""
    return ascii(origin)[1:-1]  # a path may hold what a terminal would obey


def import_own_engine() -> bool:
    """Import appfleet's own package under its name, whatever sys.path has; False where another is imported already."""
    if _NAME in sys.modules:
        return False
    spec = importlib.util.spec_from_file_location(_NAME, _OURS, submodule_search_locations=[str(_OURS.parent)])
    if spec is None or spec.loader is None:
        return False
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return True
