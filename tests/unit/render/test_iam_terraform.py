from __future__ import annotations

from engine.render.iam_terraform import iam_terraform


def test_a_policy_is_a_terraform_resource_and_nothing_in_it_is_a_template() -> None:
    text = iam_terraform({"Version": "2012-10-17", "Statement": [{"Resource": ["${x}%{y}"]}]}, "ml platform")
    assert text.startswith('resource "aws_iam_policy" "appfleet_ml-platform" {\n  name   = "appfleet-ml-platform"\n')
    assert '"$${x}%%{y}"' in text
    assert text.endswith("  })\n}\n")
