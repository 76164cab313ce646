"""Write the model of SageMaker that appfleet ships, from the newest botocore, and say what changed since the last one.

    python tools/service_model.py [--version VERSION]

pip installs botocore alone, into a virtual environment in a temporary folder, from the index that pip is set up with.
Of its model the operations that the simulator serves are kept, with their shapes and errors, without documentation,
one shape a line. The file says which botocore it is from.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.service_models.model_file import SOURCE
from engine.service_models.search import SHIPPED_FOLDER
from engine.simulator.service.api import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

Model = dict[str, Any]

SHIPPED: Final = Path(SHIPPED_FOLDER) / "sagemaker" / "2017-07-24" / "service-2.json"
_BELOW: Final = ("member", "key", "value")
_INSTALL_MAX_SECONDS: Final = 600
_BOUNDS: Final = ("type", "min", "max", "pattern", "required", "union", "sensitive")


def kept_operations() -> list[str]:
    """Return the names of the operations of SageMaker that the shipped model has, sorted."""
    return sorted(name for name, (service, _) in OPERATIONS.items() if service == "sagemaker")


def trimmed(model: Model, names: list[str], source: str) -> Model:
    """Return what `names` need of a whole model."""
    operations = {name: _bare(model["operations"][name]) for name in names}
    shapes: Model = {}
    pending = [shape for operation in operations.values() for shape in _named_by(operation)]
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = _bare(model["shapes"][name])
            pending += _below(shapes[name])
    return {
        SOURCE: source,
        "version": model["version"],
        "metadata": model["metadata"],
        "operations": operations,
        "shapes": dict(sorted(shapes.items())),
    }


def _bare(value: Any) -> Any:
    """Return a copy without documentation; a member may have that name, and is a table then."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key != "documentation" or isinstance(item, dict)}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _named_by(operation: Model) -> Iterator[str]:
    for part in (operation.get("input"), operation.get("output"), *operation.get("errors", ())):
        if part is not None:
            yield part["shape"]


def _below(shape: Model) -> list[str]:
    parts = [shape[part] for part in _BELOW if part in shape]
    return [part["shape"] for part in (*parts, *shape.get("members", {}).values())]


def written(model: Model) -> str:
    """Return the text of the file: one operation or shape a line, so that a change is a line."""
    parts = [f"{json.dumps(key)}: {_table(value)}" for key, value in model.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _table(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    rows = (f"{json.dumps(key)}:{json.dumps(item, separators=(',', ':'))}" for key, item in value.items())
    return "{\n" + ",\n".join(rows) + "\n}"


def changes(before: Model, after: Model) -> Iterator[str]:
    """Yield what is new (+), gone (-) or different (~): operations, shapes, their fields, enum values and bounds."""
    for kind in ("operations", "shapes"):
        old, new = before.get(kind, {}), after[kind]
        yield from (f"+ {kind[:-1]} {name}" for name in new if name not in old)
        yield from (f"- {kind[:-1]} {name}" for name in old if name not in new)
        for name in new:
            if name in old:
                compare = _operation_changes if kind == "operations" else _shape_changes
                yield from compare(name, old[name], new[name])


def _operation_changes(name: str, old: Model, new: Model) -> Iterator[str]:
    before, after = set(_named_by(old)), set(_named_by(new))
    yield from (f"+ operation {name}: {shape}" for shape in sorted(after - before))
    yield from (f"- operation {name}: {shape}" for shape in sorted(before - after))


def _shape_changes(name: str, old: Model, new: Model) -> Iterator[str]:
    for part, word in (("members", "field"), ("enum", "value")):
        before, after = old.get(part, {}), new.get(part, {})
        yield from (f"+ {name}: {word} {item}" for item in after if item not in before)
        yield from (f"- {name}: {word} {item}" for item in before if item not in after)
    for field, member in new.get("members", {}).items():
        was = old.get("members", {}).get(field, member)
        if was != member:
            yield f"~ {name}: field {field} was {was['shape']}, is {member['shape']}"
    for part in (*_BOUNDS, *_BELOW):
        if old.get(part) != new.get(part):
            yield f"~ {name}: {part} was {json.dumps(old.get(part))}, is {json.dumps(new.get(part))}"


def newest_model(version: str) -> tuple[Model, str]:
    """Install botocore where nothing else sees it; return its model of SageMaker and its version."""
    with tempfile.TemporaryDirectory(prefix="appfleet-botocore-") as folder:
        python = Path(folder) / "bin" / "python"
        wanted = f"botocore=={version}" if version else "botocore"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=_INSTALL_MAX_SECONDS)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", wanted]
        subprocess.run(install, check=True, timeout=_INSTALL_MAX_SECONDS)
        packed = next(Path(folder).glob("lib/python*/site-packages/botocore/data/sagemaker/*/service-2.json.gz"))
        found = next(packed.parents[4].glob("botocore-*.dist-info")).name
        model: Model = json.loads(gzip.decompress(packed.read_bytes()))
    return model, found.removesuffix(".dist-info").removeprefix("botocore-")


def main() -> int:
    """Write the file and print what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="", help="of botocore; the newest one otherwise")
    model, version = newest_model(parser.parse_args().version)
    after = trimmed(model, kept_operations(), f"botocore {version}")
    before: Model = json.loads(SHIPPED.read_text(encoding="utf-8")) if SHIPPED.exists() else {}
    print(f"{before.get(SOURCE, 'no file')} → {after[SOURCE]}")
    found = list(changes(before, after))
    print("\n".join(found) or "nothing changed")
    SHIPPED.parent.mkdir(parents=True, exist_ok=True)
    SHIPPED.write_text(written(after), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
