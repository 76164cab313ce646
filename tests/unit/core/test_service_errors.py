"""The error table: every code has one meaning, and nothing that a service says breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import (
    AccessDenied,
    AlreadyGone,
    CloudError,
    CredentialsFailed,
    InUse,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    ScanIncomplete,
    StorageNotReady,
    Throttled,
)
from engine.core.service_errors import ERROR_TABLE, error_from_service, failure_from_reason, find_row
from engine.core.text import is_safe
from engine.service_models.model_file import service_model

LIMIT_0 = (
    "The account-level service limit 'Studio JupyterLab Apps running on ml.g5.xlarge instances' is 0 Apps, "
    "with current utilization of 0 Apps and a request delta of 1 Apps."
)

ROWS = [
    ("CreateApp", "ThrottlingException", "Rate exceeded", Throttled),
    ("CreateApp", "LimitExceededException", "", Throttled),
    ("ListApps", "TooManyRequestsException", "", Throttled),
    ("CreateApp", "ResourceLimitExceeded", LIMIT_0, QuotaExceeded),
    (
        "CreateApp",
        "ResourceInUse",
        "Unable to create app [x] because storage is not in Available status",
        StorageNotReady,
    ),
    ("CreateApp", "ResourceInUse", "App [default] already exists", InUse),
    (
        "CreateSpace",
        "ValidationException",
        "Unable to create Space [s] because UserProfile [u] is not in InService",
        StorageNotReady,
    ),
    (
        "DeleteUserProfile",
        "ResourceInUse",
        "Unable to delete UserProfile [u] because App(s) are associated with it",
        InUse,
    ),
    ("DeleteApp", "ResourceInUse", "", InUse),
    ("DeleteApp", "ResourceNotFound", "", AlreadyGone),
    ("DeleteSpace", "ResourceNotFound", "", AlreadyGone),
    ("DeleteApp", "ValidationException", "App [default] has already been deleted. For ...", AlreadyGone),
    ("DeleteApp", "ValidationException", "App [default] previously failed and was automatically deleted.", AlreadyGone),
    ("DeleteApp", "ValidationException", "App [default] does not exist", AlreadyGone),
    ("DeleteApp", "ValidationException", "AppName is too long", Rejected),
    ("DescribeApp", "ValidationException", "RecordNotFound", NotFound),
    ("DescribeApp", "ResourceNotFound", "", NotFound),
    ("CreateApp", "ValidationException", "UserProfile [u] does not exist", NotFound),
    ("CreateApp", "ValidationException", "1 validation error detected", Rejected),
    ("ListTags", "ValidationException", "", NotFound),
    ("ListTags", "ValidationException", "bad ARN", Rejected),
    ("ListApps", "ValidationException", "Invalid NextToken", ScanIncomplete),
    ("CreateApp", "ExpiredTokenException", "", CredentialsFailed),
    ("CreateApp", "UnrecognizedClientException", "", CredentialsFailed),
    ("CreateApp", "InvalidSignatureException", "Signature expired: 1 is now earlier than 2", CredentialsFailed),
    ("CreateApp", "RequestTimeTooSkewed", "", CredentialsFailed),
    ("CreateApp", "AccessDeniedException", "", AccessDenied),
    ("CreateApp", "InternalFailure", "", OutcomeUnknown),
    ("ListApps", "ServiceUnavailable", "", OutcomeUnknown),
    ("CreateApp", "UnknownOperationException", "", Rejected),
    ("CreateApp", "SomethingNew", "", Rejected),
]


@pytest.mark.parametrize(("operation", "code", "message", "kind"), ROWS)
def test_a_code_has_one_meaning(operation: str, code: str, message: str, kind: type[CloudError]) -> None:
    error = error_from_service(operation=operation, service_code=code, message=message)
    assert type(error) is kind
    assert error.hint
    assert error.service_code == code
    assert error.operation == operation


MODELLED = [
    "CreateApp",
    "DeleteApp",
    "DescribeApp",
    "ListApps",
    "ListTags",
    "AddTags",
    "DeleteTags",
    "CreateUserProfile",
    "DescribeUserProfile",
    "UpdateUserProfile",
    "DeleteUserProfile",
    "ListUserProfiles",
    "CreateSpace",
    "DescribeSpace",
    "UpdateSpace",
    "DeleteSpace",
    "ListSpaces",
    "DescribeDomain",
    "ListDomains",
]


@pytest.mark.parametrize("operation", MODELLED)
def test_every_error_of_the_service_model_stands_in_the_table(operation: str) -> None:
    model = service_model("sagemaker").content
    for modelled in model["operations"][operation].get("errors", []):
        assert find_row(operation, modelled["shape"], "") is not None, modelled["shape"]


def test_the_codes_that_no_model_names_stand_in_the_table() -> None:
    for code in ("ThrottlingException", "AccessDeniedException", "ValidationException", "InternalFailure"):
        assert find_row("CreateApp", code, "") is not None


@pytest.mark.parametrize("operation", ["ListApps", "ListSpaces", "ListUserProfiles", "DescribeDomain"])
@pytest.mark.parametrize("code", ["ResourceNotFound", "ValidationException"])
def test_a_domain_that_is_not_there_is_no_matter_of_its_owners(operation: str, code: str) -> None:
    row = find_row(operation, code, "Domain [d-1] does not exist")
    assert row is not None
    assert row.kind is NotFound
    assert "[owners]" not in row.hint


def test_a_code_is_compared_whole() -> None:
    """Row 7."""
    assert find_row("CreateApp", "resourceinuse", "") is None
    assert find_row("CreateApp", "ResourceInUseX", "") is None
    assert find_row("CreateApp", "LimitExceeded", "") is None


def test_the_namespace_and_the_tail_of_a_code_are_left_aside() -> None:
    error = error_from_service(
        operation="CreateApp", service_code="com.amazonaws.sagemaker#ResourceInUse:http://x/", message="taken"
    )
    assert type(error) is InUse
    assert error.message == "CreateApp failed with ResourceInUse: taken"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "New", Rejected),
        (403, "403", Rejected),
        (429, "", Throttled),
        (408, "", OutcomeUnknown),
        (500, "New", OutcomeUnknown),
        (302, "302", OutcomeUnknown),
        (0, "", OutcomeUnknown),
        (503, "ThrottlingException", Throttled),
    ],
)
def test_an_unlisted_code_is_judged_by_its_status(status: int, code: str, kind: type[CloudError]) -> None:
    """Row 14."""
    error = error_from_service(operation="CreateApp", service_code=code, message="", status=status)
    assert type(error) is kind
    assert error.hint
    assert error.service_code == (code or str(status))


def test_a_denial_names_the_action_and_the_tags() -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: sagemaker:AddTags on resource: arn:aws:y"
    hint = error_from_service(operation="CreateApp", service_code="AccessDeniedException", message=message).hint
    assert hint.startswith("Allow sagemaker:AddTags on")
    hint = error_from_service(operation="CreateApp", service_code="AccessDeniedException", message="no").hint
    assert "sagemaker:CreateApp" in hint
    assert "sagemaker:AddTags" in hint
    hint = error_from_service(operation="GetCallerIdentity", service_code="AccessDenied", message="").hint
    assert "sts:GetCallerIdentity" in hint
    message += " with an explicit deny in a service control policy"
    hint = error_from_service(operation="CreateApp", service_code="AccessDeniedException", message=message).hint
    assert "explicit deny" in hint


def test_a_full_quota_carries_its_facts_and_the_command() -> None:
    error = error_from_service(
        operation="CreateApp", service_code="ResourceLimitExceeded", message=LIMIT_0, request_id="r", retry_after_s=2.0
    )
    assert isinstance(error, QuotaExceeded)
    assert error.facts.never_fits
    assert "L-988CE6C5" in error.hint
    assert (error.request_id, error.retry_after_s) == ("r", 2.0)


def test_the_advice_of_a_full_quota_gives_way_to_the_command_in_the_hint() -> None:
    advised = f"{LIMIT_0.partition(' Please')[0]} Please use AWS Service Quotas to request an increase for this quota."
    refused = error_from_service(operation="CreateApp", service_code="ResourceLimitExceeded", message=advised)
    for error in (refused, failure_from_reason(advised)):
        assert "Please" not in error.message
        assert error.message.endswith("request delta of 1 Apps")
    unknown = error_from_service(
        operation="CreateApp", service_code="ResourceLimitExceeded", message="Too many. Please ask for more."
    )
    assert unknown.message.endswith("Please ask for more")


REASONS = [
    (
        (
            "EC2InsufficientCapacityError: Instance type 'ml.g5.xlarge' is temporarily unavailable in supported "
            "availability zones [use1-az1]. Try again in a few minutes, or try a different instance type."
        ),
        NoCapacity,
        "EC2InsufficientCapacityError",
    ),
    (f"ResourceLimitExceeded: {LIMIT_0}", QuotaExceeded, "ResourceLimitExceeded"),
    (LIMIT_0, QuotaExceeded, "ResourceLimitExceeded"),
    ("InternalFailure", Rejected, "InternalFailure"),
    ("LifecycleConfig script failed with exit code 1", Rejected, "LifecycleConfigFailed"),
    ("LifecycleConfig 'setup' took longer than 5 minutes", Rejected, "LifecycleConfigTimedOut"),
    ("Lifecycle configuration script timed out", Rejected, "LifecycleConfigTimedOut"),
    ("ImagePullError: no such image", Rejected, "ImagePullFailed"),
    ("Image could not be pulled", Rejected, "ImagePullFailed"),
    ("Cannot pull container: manifest unknown: Requested image not found", Rejected, "ImagePullFailed"),
    ("CapacityError: Unable to provision requested ML compute capacity.", NoCapacity, "EC2InsufficientCapacityError"),
    ("InsufficientFreeAddressesInSubnet: not possible", Rejected, "NoFreeAddresses"),
    ("The specified subnet does not have enough free addresses to satisfy the request", Rejected, "NoFreeAddresses"),
    ("ConfigurationError: no free IP addresses in [subnet-1]", Rejected, "NoFreeAddresses"),
    ("ConfigurationError: IP address 10.0.0.1 cannot be reached", Rejected, "ConfigurationError"),
    ("The KMS key of the domain is disabled", Rejected, "KmsKeyRefused"),
    ("EFS mount failed: connection timed out", Rejected, "EfsMountFailed"),
    ("There is no mount target in us-east-1a", Rejected, "EfsMountFailed"),
    ("no", Rejected, "Failed"),
    ("", Rejected, "Failed"),
]


@pytest.mark.parametrize(("reason", "kind", "code"), REASONS)
def test_a_failure_reason_has_one_meaning(reason: str, kind: type[CloudError], code: str) -> None:
    error = failure_from_reason(reason)
    assert type(error) is kind
    assert error.service_code == code
    assert error.hint


def test_an_empty_reason_is_said_to_be_one() -> None:
    assert "gave no reason" in failure_from_reason(" ").message


words = st.text() | st.sampled_from(LIMIT_0.split()) | st.text("{}[]%'\\\x1b\n", max_size=40)


@given(
    operation=st.sampled_from(MODELLED),
    code=st.sampled_from(sorted({code for row in ERROR_TABLE for code in row.codes})) | words,
    message=st.lists(words, max_size=8).map(" ".join),
    status=st.integers(-1, 999),
)
def test_nothing_that_a_service_says_breaks_it(operation: str, code: str, message: str, status: int) -> None:
    error = error_from_service(operation=operation, service_code=code, message=message, status=status)
    assert isinstance(error, CloudError)
    assert is_safe(str(error))
    reason = failure_from_reason(message)
    assert isinstance(reason, NoCapacity | QuotaExceeded | Rejected)
    assert is_safe(str(reason))


# What people met in the field, and where the hint leads them: (operation, code, message, class, words of the hint).
FIELD = [
    (
        "CreateApp",
        "ResourceNotFound",
        "SageMaker Image [forecast-image] is not attached to Domain [d-abcd1234efgh]",
        NotFound,
        "Attach the image to the domain",
    ),
    (
        "CreateApp",
        "ValidationException",
        "ImageVersion with arn arn:aws:sagemaker:eu-west-1:111122223333:image-version/x/3 does not exist",
        NotFound,
        "Attach the image to the domain",
    ),
    ("CreateApp", "ResourceNotFound", "UserProfile [image-lab] does not exist", NotFound, "[owners] create = true"),
    (
        "ListApps",
        "UnknownOperationException",
        "The requested operation is not supported in the called region.",
        Rejected,
        "SageMaker does not offer ListApps in this region",
    ),
    ("ListApps", "UnknownOperationException", "", Rejected, "check --endpoint-url"),
    (
        "CreateApp",
        "AccessDeniedException",
        "User: arn:aws:sts::111122223333:assumed-role/p/x is not authorized to perform: kms:CreateGrant",
        AccessDenied,
        "use the KMS key",
    ),
    (
        "CreateApp",
        "AccessDeniedException",
        "User: arn:aws:sts::111122223333:assumed-role/kms-admin/x is not authorized to perform: sagemaker:CreateApp",
        AccessDenied,
        "Allow sagemaker:CreateApp",
    ),
    ("CreateApp", "CapacityError", "Unable to provision requested ML compute capacity", NoCapacity, "fallback"),
    (
        "CreateApp",
        "ValidationException",
        "Unable to create App because Space [alice-lab] is not in InService, it is in Update_Failed",
        Rejected,
        "Waiting does not help",
    ),
    (
        "DeleteUserProfile",
        "ResourceInUse",
        "Domain [d-abcd1234efgh] is in Delete_Failed state",
        Rejected,
        "Waiting does not help",
    ),
    (
        "CreateApp",
        "ValidationException",
        "Unable to create App because Space [update_failed] is not in InService",
        StorageNotReady,
        "tries again",
    ),
    ("ListApps", "ThrottlingException", "Rate exceeded", Throttled, "Run again later"),
    (
        "CreateApp",
        "ValidationException",
        "Studio Lifecycle Config [arn:aws:sagemaker:eu-west-1:1:studio-lifecycle-config/x] does not exist",
        NotFound,
        "Attach the lifecycle configuration",
    ),
    ("CreateApp", "ResourceNotFound", "UserProfile [lifecycle-config] does not exist", NotFound, "[owners] create"),
    ("CreateApp", "ValidationException", "KMS key is disabled or access is denied", AccessDenied, "KMS key"),
    ("CreateApp", "KMSAccessDeniedException", "no", AccessDenied, "KMS key"),
    ("CreateApp", "ValidationException", "Space my-kms-space does not exist", NotFound, "[owners] create"),
    (
        "CreateApp",
        "AccessDeniedException",
        "The ciphertext refers to a customer master key that does not exist",
        AccessDenied,
        "KMS key",
    ),
    (
        "CreateApp",
        "AccessDeniedException",
        "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/r",
        AccessDenied,
        "Allow iam:PassRole to the caller",
    ),
    ("CreateApp", "ValidationException", "Domain [d-1] is in Updating status. Please retry", StorageNotReady, "again"),
    ("CreateApp", "ValidationException", "There are no free IP addresses in subnet-1", Rejected, "Check the subnets"),
]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Failed to launch app as we were unable to find enough IP addresses in your subnets", "Check the subnets"),
        ("No route to IP address 10.0.0.1", "Check the subnets"),
        ("EFS mount failed: connection timed out", "must allow NFS (TCP 2049)"),
        ("Access to the KMS key was denied", "kms:CreateGrant"),
        ("LifecycleConfig script timed out", "nohup"),
        ("SageMaker is unable to assume the role arn:aws:iam::111122223333:role/efs", "Check the execution role"),
        ("There is no space left on device", "ebs_gb"),
        ("Unable to pull image from ECR", "reaches ECR"),
        ("it broke on [efs]", "group /aws/sagemaker/studio"),
    ],
)
def test_a_reason_leads_to_what_it_speaks_of(reason: str, words: str) -> None:
    assert words in failure_from_reason(reason).hint


@pytest.mark.parametrize(
    ("reason", "stream"),
    [
        ("LifecycleConfig script failed", "alice-lab/JupyterLab/default/LifecycleConfigOnStart"),
        ("LifecycleConfig script timed out", "alice-lab/JupyterLab/default/LifecycleConfigOnStart"),
        ("it broke", "alice-lab/JupyterLab/default;"),
    ],
)
def test_a_hint_names_the_log_group_and_the_stream(reason: str, stream: str) -> None:
    hint = failure_from_reason(reason, app="alice-lab/JupyterLab/default").hint
    assert f"CloudWatch Logs, group /aws/sagemaker/studio, stream DOMAIN_ID/{stream}" in f"{hint};"
    assert "stream DOMAIN_ID/OWNER/TYPE/NAME" in failure_from_reason(reason).hint


def test_want_of_machines_has_many_words_and_a_disk_is_no_machine() -> None:
    assert isinstance(failure_from_reason("There is not enough capacity for instance type ml.p4d.24xlarge"), NoCapacity)
    assert isinstance(failure_from_reason("not enough disk capacity"), Rejected)


@pytest.mark.parametrize(("operation", "code", "message", "kind", "words"), FIELD)
def test_what_people_met_leads_to_its_cause(
    operation: str, code: str, message: str, kind: type[CloudError], words: str
) -> None:
    error = error_from_service(operation=operation, service_code=code, message=message)
    assert type(error) is kind
    assert words in error.hint


CAPACITY = [
    "EC2InsufficientCapacityError: Instance type 'ml.g5' is temporarily unavailable in supported availability zones",
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different instance type",
    "We currently do not have sufficient ml.g5.xlarge capacity in the Availability Zone you requested (eu-west-1a)",
    "We currently do not have sufficient p4d.24xlarge capacity in zones with support for 'gp2' volumes",
    "InsufficientInstanceCapacity: There is insufficient capacity",
    "Insufficient ml.p4d.24xlarge capacity",
    "The service does not have enough capacity right now",
]


@pytest.mark.parametrize("reason", CAPACITY)
def test_a_lack_of_machines_is_one_whatever_it_is_called(reason: str) -> None:
    """The fallback is walked, and it counts for no quarantine."""
    assert type(failure_from_reason(reason)) is NoCapacity


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFound", "ResourceLimitExceeded", "SomethingNew"])
@pytest.mark.parametrize("message", CAPACITY)
def test_a_create_that_is_refused_for_want_of_machines_is_one_whatever_its_code(message: str, code: str) -> None:
    """The service may say at once what it mostly says of an app that it has accepted."""
    error = error_from_service(operation="CreateApp", service_code=code, message=message)
    assert type(error) is NoCapacity
    assert error.service_code == "EC2InsufficientCapacityError"
    assert "fallback" in error.hint


@pytest.mark.parametrize("code", ["ValidationException", "ServiceQuotaExceededException", "SomethingNew"])
@pytest.mark.parametrize("operation", ["CreateApp", "CreateSpace", "CreateUserProfile"])
def test_a_create_that_is_refused_for_a_full_quota_is_one_whatever_its_code(operation: str, code: str) -> None:
    error = error_from_service(operation=operation, service_code=code, message=LIMIT_0)
    assert isinstance(error, QuotaExceeded)
    assert error.facts.never_fits
    assert error.service_code == "ResourceLimitExceeded"
    assert "aws service-quotas" in error.hint


@pytest.mark.parametrize(
    ("operation", "code", "message", "status", "kind"),
    [
        ("CreateApp", "ValidationException", "The name is too long: its limit is 63 characters.", 400, Rejected),
        ("DeleteApp", "ValidationException", LIMIT_0, 400, Rejected),
        ("CreateApp", "AccessDeniedException", LIMIT_0, 400, AccessDenied),
        ("CreateApp", "ServiceQuotaExceededException", "", 400, QuotaExceeded),
        ("CreateApp", "ThrottlingException", CAPACITY[0], 400, Throttled),
        ("CreateApp", "InternalFailure", CAPACITY[0], 500, OutcomeUnknown),
        ("CreateApp", "SomethingNew", CAPACITY[0], 503, OutcomeUnknown),
        ("CreateApp", "AccessDeniedException", CAPACITY[0], 400, AccessDenied),
        ("CreateApp", "ResourceLimitExceeded", f"Insufficient capacity: {LIMIT_0}", 400, QuotaExceeded),
        ("CreateApp", "ValidationException", "Insufficient IP address capacity in the subnet", 400, Rejected),
        ("CreateApp", "ValidationException", "Space [insufficient capacity] is not valid", 400, Rejected),
        ("CreateSpace", "ValidationException", CAPACITY[0], 400, Rejected),
    ],
)
def test_what_only_sounds_like_a_want_of_machines_stays_what_it_is(
    operation: str, code: str, message: str, status: int, kind: type[CloudError]
) -> None:
    assert type(error_from_service(operation=operation, service_code=code, message=message, status=status)) is kind


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Role arn:aws:iam::111122223333:role/malcc-lab cannot be assumed", "Failed"),
        ("UserProfile [lcc] has no role", "Failed"),
        ("The lcc exited with 1", "LifecycleConfigFailed"),
        ("LifecycleConfig execution failed with non zero exit code 1", "LifecycleConfigFailed"),
        ("Insufficient disk capacity on the volume", "Failed"),
        ("Insufficient IP address capacity in subnet", "NoFreeAddresses"),
        ("App [kms key] failed to start", "Failed"),
        ("App [insufficient capacity] failed to start", "Failed"),
        ("Space [internal error] has no volume", "Failed"),
        ("ConfigurationError: kernel not found", "ConfigurationError"),
        ("InternalFailure: An error occurred", "InternalFailure"),
    ],
)
def test_a_name_that_a_user_chose_decides_nothing(reason: str, code: str) -> None:
    error = failure_from_reason(reason)
    assert type(error) is Rejected
    assert error.service_code == code


def test_a_failure_of_the_service_with_an_image_of_ones_own_leads_to_its_configuration() -> None:
    assert "app image config" in failure_from_reason("InternalFailure", own_image=True).hint
    assert "app image config" not in failure_from_reason("InternalFailure").hint
    assert "app image config" not in failure_from_reason("The lcc exited with 1", own_image=True).hint
