"""An IAM policy as a Terraform resource."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def iam_terraform(document: Mapping[str, Any], name: str) -> str:
    """Return an `aws_iam_policy` with `document`, ending in a line break. `name` is made of the fleet's name."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    body = json.dumps(document, indent=2, ensure_ascii=True).replace("${", "$${").replace("%{", "%%{")
    indented = body.replace("\n", "\n  ")
    head = f'resource "aws_iam_policy" "appfleet_{name}" {{\n  name   = "appfleet-{name}"\n'
    return f"{head}  policy = jsonencode({indented})\n}}\n"
