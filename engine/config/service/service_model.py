"""What SageMaker's API takes, as constants: names, patterns, lengths, app types and instance types.

They repeat what the model of SageMaker that we ship says, because reading it takes longer than checking a fleet;
a test compares every one of them with it. Not here: rules that the model does not state,
such as which owner an app type may have (`app_rules`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

APP_TYPES: Final = (
    "JupyterServer",
    "KernelGateway",
    "DetailedProfiler",
    "TensorBoard",
    "CodeEditor",
    "JupyterLab",
    "RStudioServerPro",
    "RSessionGateway",
    "Canvas",
)
SHARING_TYPES: Final = ("Private", "Shared")

NAME_MAX_CHARS: Final = 63
NAME_PATTERN: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"  # apps, spaces and user profiles
DOMAIN_ID_MAX_CHARS: Final = 63
DOMAIN_ID_PATTERN: Final = r"d-(-*[a-z0-9]){1,61}"
ARN_MAX_CHARS: Final = 256
IMAGE_ARN_PATTERN: Final = r"arn:aws(-[\w]+)*:sagemaker:.+:[0-9]{12}:image/[a-zA-Z0-9]([-.]?[a-zA-Z0-9])*"
IMAGE_VERSION_ARN_PATTERN: Final = (
    r"(arn:aws(-[\w]+)*:sagemaker:.+:[0-9]{12}:image-version/[a-z0-9]([-.]?[a-z0-9])*/[0-9]+|None)"
)
IMAGE_VERSION_ALIAS_MAX_CHARS: Final = 128
IMAGE_VERSION_ALIAS_PATTERN: Final = (
    r"(^\d+$)|(^\d+.\d+$)|(^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$)"
)
LIFECYCLE_CONFIG_ARN_PATTERN: Final = (
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:studio-lifecycle-config/.*|None)"
)
TRAINING_PLAN_ARN_MAX_CHARS: Final = 2048
TRAINING_PLAN_ARN_PATTERN: Final = r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*|None)"
TRAINING_PLAN_NAME_MAX_CHARS: Final = 64
TRAINING_PLAN_NAME_PATTERN: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}"
ROLE_ARN_MIN_CHARS: Final = 20
ROLE_ARN_MAX_CHARS: Final = 2048
ROLE_ARN_PATTERN: Final = r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
SSO_VALUE_MAX_CHARS: Final = 256
EBS_GB_MIN: Final = 5
EBS_GB_MAX: Final = 16_384
IDLE_MINUTES_MIN: Final = 60
IDLE_MINUTES_MAX: Final = 525_600

SYSTEM: Final = "system"
# The service adds types before the SDK knows them, so a type of this form is only ever warned about.
INSTANCE_TYPE_FORM: Final = re.compile(r"system|ml\.[a-z0-9]+(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*")
INSTANCE_TYPE_MAX_CHARS: Final = 63

_SIZES: Final = {
    "t3": "micro small medium large xlarge 2xlarge",
    "m5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "m5d": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "c5": "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge",
    "p3": "2xlarge 8xlarge 16xlarge",
    "p3dn": "24xlarge",
    "g4dn": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "r5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "g5": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 12xlarge 24xlarge 48xlarge",
    "g6": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "g6e": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "g7": "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge",
    "g7e": "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge",
    "geospatial": "interactive",
    "p4d": "24xlarge",
    "p4de": "24xlarge",
    "trn1": "2xlarge 32xlarge",
    "trn1n": "32xlarge",
    "p5": "4xlarge 48xlarge",
    "p5en": "48xlarge",
    "p6-b200": "48xlarge",
    "m6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "m7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "c6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "c7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "r6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "r7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "m6id": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "c6id": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "r6id": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
}
INSTANCE_TYPES: Final = frozenset(
    {SYSTEM, *(f"ml.{family}.{size}" for family, sizes in _SIZES.items() for size in sizes.split())}
)

# re.ASCII: the service's \d and \w mean ASCII.
NAME: Final = re.compile(NAME_PATTERN, re.ASCII)
_DOMAIN_ID: Final = re.compile(DOMAIN_ID_PATTERN, re.ASCII)
_PLAIN_TAG: Final = re.compile(r"[A-Za-z0-9 _.:/=+\-@]*")
_TAG_PUNCTUATION: Final = frozenset("_.:/=+-@")


def is_name(text: str) -> bool:
    """Whether the service takes `text` as the name of an app, a space or a user profile."""
    return len(text) <= NAME_MAX_CHARS and NAME.fullmatch(text) is not None


def is_domain_id(text: str) -> bool:
    """Whether the service takes `text` as the id of a domain."""
    return len(text) <= DOMAIN_ID_MAX_CHARS and _DOMAIN_ID.fullmatch(text) is not None


def has_tag_chars(text: str) -> bool:
    """Whether every character of `text` may stand in a tag: letters, digits, spaces and `_.:/=+-@`."""
    return _PLAIN_TAG.fullmatch(text) is not None or all(
        char in _TAG_PUNCTUATION or unicodedata.category(char)[0] in "LZN" for char in text
    )
