"""Which endpoints requests go to: whether they may be used, and whether they are AWS's own.

Not here: connections (`transport`), clients (`sessions`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from engine.adapters.aws.routes import UnusableProxyError, check_way_to, is_safe_url, without_password
from engine.core.errors import UsageError

# The services that appfleet calls, as their hosts name them, and nothing that an account's own users can be given a
# name under: execute-api, s3 and compute hosts are of anybody.
_SERVICES: Final = (
    r"(?:api(?:-fips)?\.sagemaker"
    r"|(?:sts|tagging|servicequotas|api\.pricing|(?:portal\.)?sso|oidc|identitystore|iam)(?:-fips)?)"
)
_DUAL_STACK_SERVICES: Final = (
    r"(?:(?:api\.)?sagemaker|sts|tagging|servicequotas|(?:api\.)?pricing|(?:portal\.)?sso|oidc|identitystore)(?:-fips)?"
)
_REGION: Final = r"(?:[a-z]{2,4}(?:-[a-z]+)+-\d+|us-gov)"  # IAM has no region, but in GovCloud this word
_SUFFIXES: Final = (
    r"(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)
_DUAL_STACK_SUFFIXES: Final = (
    r"(?:api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)|api\.aws\.ic\.gov|api\.aws\.scloud|api\.cloud-aws\.adc-e\.uk"
    r"|api\.aws\.hci\.ic\.gov)"
)
# A VPC endpoint of one of these services; one of anybody's service has `vpce-svc-` in the place of the service's name.
_IN_A_VPC: Final = rf"(?:vpce-[0-9a-z-]+\.{_SERVICES}\.{_REGION}\.vpce\.{_SUFFIXES})"
_OWN: Final = re.compile(
    rf"{_SERVICES}(?:\.{_REGION})?\.{_SUFFIXES}|{_SERVICES}-fips\.{_REGION}\.{_SUFFIXES}"
    rf"|{_DUAL_STACK_SERVICES}\.{_REGION}\.{_DUAL_STACK_SUFFIXES}|{_IN_A_VPC}"
)
_ENDPOINT_VARIABLES: Final = tuple(
    f"AWS_ENDPOINT_URL{tail}"
    for tail in (
        "",
        "_SAGEMAKER",
        "_STS",
        "_RESOURCE_GROUPS_TAGGING_API",
        "_SERVICE_QUOTAS",
        "_PRICING",
        "_SSO",
        "_SSO_OIDC",
        "_SSO_ADMIN",
        "_IDENTITYSTORE",
        "_IAM",
        "_ORGANIZATIONS",
        "_S3",
        "_SNS",
    )
)

# What is asked on behalf of SageMaker's own: by the library's name, what people call it, and its variable.
BESIDE_SAGEMAKER: Final = {
    "resourcegroupstaggingapi": ("the Tagging API", "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API"),
    "sso-admin": ("IAM Identity Center", "AWS_ENDPOINT_URL_SSO_ADMIN"),
    "identitystore": ("the identity store", "AWS_ENDPOINT_URL_IDENTITYSTORE"),
    "iam": ("IAM", "AWS_ENDPOINT_URL_IAM"),
}

ENDPOINT_HINT: Final = (
    "Use https, or http to localhost. The endpoint comes from --endpoint-url, an AWS_ENDPOINT_URL variable or the AWS "
    "profile; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true ignores the last two"
)
_RULE: Final = "it must be https, or http to this machine, without a user name, and its port must be a number"


def foreign_endpoint(url: str) -> str:
    """Return an endpoint as it is shown in a plan's header, or nothing when it is AWS's own over https."""
    try:
        parts = urlsplit(url)
        is_own = parts.scheme == "https" and parts.port in (None, 443) and "@" not in parts.netloc
    except ValueError:
        return url
    return "" if is_own and _OWN.fullmatch(parts.hostname or "") else without_password(url)


def check_endpoints(explicit: str | None, *, are_ignored: bool) -> None:
    """Raise UsageError for an endpoint that credentials must not be sent to, before they are looked for.

    `are_ignored` is what AWS_IGNORE_CONFIGURED_ENDPOINT_URLS and the profile say of the variables.
    """
    given: Mapping[str, str | None] = {"--endpoint-url": explicit}
    if not explicit:
        given = {} if are_ignored else {name: os.environ.get(name) for name in _ENDPOINT_VARIABLES}
    for name, url in given.items():
        if url and not is_safe_url(url):
            raise UsageError(f"{name} is {without_password(url)}, which cannot be used: {_RULE}", hint=ENDPOINT_HINT)


def check_endpoint(service: str, url: str) -> None:
    """Raise UsageError when a client would send credentials where they must not go, or through an unusable proxy."""
    if not is_safe_url(url):
        raise UsageError(f"The endpoint for {service} is {without_password(url)}: {_RULE}", hint=ENDPOINT_HINT)
    try:
        check_way_to(url)
    except UnusableProxyError as error:
        raise UsageError(str(error), hint="Set HTTPS_PROXY=http://HOST:PORT, or unset it") from None


def configured_region(profile: str = "") -> str:
    """Return the region that the environment or the AWS profile sets, or an empty text where none does.

    As in the AWS CLI, AWS_REGION wins over AWS_DEFAULT_REGION, and both over the profile.
    """
    if region := os.environ.get("AWS_REGION"):
        return region
    try:
        return Session(profile=profile or None).get_config_variable("region") or ""
    except BotoCoreError:  # of a profile that does not exist, or a file that cannot be read
        return ""


def configured_profiles() -> tuple[str, ...]:
    """Return the names of the AWS profiles on this machine, sorted; none where their files cannot be read."""
    try:
        return tuple(sorted(Session().available_profiles))
    except BotoCoreError:
        return ()


def service_regions(region: str) -> tuple[str, ...]:
    """Return the regions that have SageMaker, in the partition of `region`, sorted; a file of the SDK knows them."""
    session = Session()
    try:
        partition = session.get_partition_for_region(region)
    except BotoCoreError:  # a region that is newer than the file
        partition = "aws"
    return tuple(sorted(session.get_available_regions("sagemaker", partition)))
