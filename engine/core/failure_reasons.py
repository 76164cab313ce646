"""Why an app was accepted and then ended Failed, by what SageMaker says of it: a code of each kind, and what helped.

Lack of machines and full quotas are decided before (`service_errors`). The words are those that people report; the
service documents none of them. Not here: what follows from a reason (`executor.retry`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from engine.core.service_error_table import KMS_HINT, KMS_WORDS, NETWORK_HINT, NETWORK_WORDS
from engine.core.spoken import holds

LOG_GROUP: Final = "/aws/sagemaker/studio"
LIFECYCLE_STREAM: Final = "LifecycleConfigOnStart"
_ANY_APP: Final = "OWNER/TYPE/NAME"

SURROUNDINGS: Final = frozenset({"NoFreeAddresses", "EfsMountFailed"})  # not the shape's own
INTERNAL_FAILURE: Final = "InternalFailure"  # the code where the service says that the fault was its own
_INTERNAL_WORDS: Final = ("internalfailure", "internal failure", "internal error")
_INTERNAL_HINT: Final = "The service failed on its side; the next run tries again"
_OWN_IMAGE_HINT: Final = (
    "The app runs an image of your own, and then the cause is mostly its app image config: check kernel name, user and "
    "group id and mount path there, and that the image is for this region. If they are right, the next run tries again"
)
_LIFECYCLE_WORDS: Final = re.compile(r"lifecycle ?config|lifecycle script|(?<![a-z0-9_-])lcc(?![a-z0-9_-])")
_TOO_LONG: Final = re.compile(r"time[sd]? ?-?out|longer than|time limit|in time|did not (?:end|finish|complete) within")
_SLOW_SCRIPT_HINT: Final = (
    "SageMaker gives a lifecycle script five minutes. Start long work in the background (nohup COMMAND &), and check "
    "that the script can reach what it downloads"
)
_NO_ADDRESS: Final = re.compile(
    r"insufficientfreeaddresses|insufficient ip"
    r"|(?:enough|sufficient|no|free|more|available|out of) (?:[a-z0-9]+ ){0,2}address(?:es)?(?![a-z0-9])"
)
_NO_ADDRESS_HINT: Final = (
    "Check the subnets of the domain: they have too few free IP addresses, and an app takes up to four. Stop apps, or "
    "add a subnet to the domain. To count them: aws ec2 describe-subnets --query "
    "'Subnets[].[SubnetId,AvailableIpAddressCount]'"
)
_EFS_HINT: Final = (
    "Check the EFS file system: it needs a mount target in each zone of the domain's subnets, and its security groups "
    "must allow NFS (TCP 2049) from the security groups of the domain"
)
_ROLE_HINT: Final = (
    "Check the execution role of the profile, space or domain: it must exist and trust sagemaker.amazonaws.com"
)
_IMAGE_HINT: Final = (
    "Check that the image exists in ECR in this region, that its repository lets the execution role and "
    "sagemaker.amazonaws.com pull it, and that the domain's network reaches ECR and S3"
)


class _Kind(NamedTuple):
    """What a reason speaks of, as whole words; without a code it is the service's own or `Failed`."""

    words: tuple[str, ...]
    code: str
    hint: str


_KINDS: Final = (
    _Kind(("efs", "nfs", "mount target", "mount targets"), "EfsMountFailed", _EFS_HINT),
    _Kind(KMS_WORDS, "KmsKeyRefused", KMS_HINT),
    _Kind(NETWORK_WORDS, "", NETWORK_HINT),
    _Kind(("assume role", "assume the role", "assume execution role", "assume the execution role"), "", _ROLE_HINT),
    _Kind(
        ("no space left on device", "out of disk space"),
        "",
        "The volume of the space is full: delete files there, or raise ebs_gb of the space",
    ),
    _Kind(
        (
            "ecr",
            "pull image",
            "pull the image",
            "imagepullfailure",
            "imagepullerror",
            "image pull",
            "pull container",
            "pulling image",
            "image could not be pulled",
            "manifest unknown",
        ),
        "ImagePullFailed",
        _IMAGE_HINT,
    ),
)
_REASON_CODE: Final = re.compile(r"([A-Z][A-Za-z0-9]{2,60}):? ?")


def kind_of_failure(reason: str, words: str, *, own_image: bool, app: str) -> tuple[str, str]:
    """Return the code and the hint of a failure that is neither a quota's nor for want of machines.

    `words` is what the service itself says in `reason`, and `app` the app as `OWNER/TYPE/NAME`, empty where one hint
    speaks of several. `own_image`: the app runs a custom image.
    """
    if any(word in words for word in _INTERNAL_WORDS):
        return INTERNAL_FAILURE, _OWN_IMAGE_HINT if own_image else _INTERNAL_HINT
    if _LIFECYCLE_WORDS.search(words):
        output = f"its output is in {log_of(app, LIFECYCLE_STREAM)}"
        if _TOO_LONG.search(words):
            return "LifecycleConfigTimedOut", f"{_SLOW_SCRIPT_HINT}; {output}"
        return "LifecycleConfigFailed", f"Correct the lifecycle configuration; {output}"
    if _NO_ADDRESS.search(words):
        return "NoFreeAddresses", _NO_ADDRESS_HINT
    named = _REASON_CODE.match(reason)
    code = named[1] if named and ":" in named[0] else "Failed"
    for kind in _KINDS:
        if any(holds(words, word) for word in kind.words):
            return kind.code or code, kind.hint
    return code, f"Look at the app's log in {log_of(app)}; often a lifecycle script or an image"


def log_of(app: str, stream: str = "") -> str:
    """Return where CloudWatch Logs has what an app, named `OWNER/TYPE/NAME`, wrote as it started."""
    end = "/".join(part for part in (app or _ANY_APP, stream) if part)
    return f"CloudWatch Logs, group {LOG_GROUP}, stream DOMAIN_ID/{end}"
