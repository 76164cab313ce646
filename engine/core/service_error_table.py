"""The service's error codes, as data: which class each one is, and what a person can do about it.

Codes are compared whole: LimitExceededException is a throttle and ResourceLimitExceeded a full quota. Of several rows
that fit, the first one holds. Not here: reading it (`service_errors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.errors import (
    AccessDenied,
    AlreadyGone,
    CloudError,
    CredentialsFailed,
    InUse,
    NoCapacity,
    NotFound,
    Occupied,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    ScanIncomplete,
    StorageNotReady,
    Throttled,
)

_CREATE_APP: Final = frozenset({"CreateApp"})
_DELETE_APP: Final = frozenset({"DeleteApp"})
_DELETES: Final = frozenset({"DeleteApp", "DeleteSpace", "DeleteUserProfile"})
_DELETE_OWNERS: Final = frozenset({"DeleteSpace", "DeleteUserProfile"})
_NEEDS_A_READY_OWNER: Final = frozenset({"CreateApp", "CreateSpace", "DeleteSpace", "UpdateSpace", "DeleteUserProfile"})
_UPDATES: Final = frozenset({"UpdateSpace"})
_VOLUME_RATE: Final = frozenset({"VolumeModificationRateExceeded"})
_VOLUME_HINT: Final = "A volume grows at most once in six hours; the first comparison after that tries again"
_TAG_CALLS: Final = frozenset({"ListTags", "AddTags", "DeleteTags"})
_LISTS: Final = frozenset({"ListApps", "ListSpaces", "ListUserProfiles", "ListTags", "ListDomains"})

_OF_A_DOMAIN: Final = frozenset({"ListApps", "ListSpaces", "ListUserProfiles", "DescribeDomain"})
_NOT_FOUND_WORDS: Final = ("recordnotfound", "does not exist", "could not be found", "not found")

_THROTTLES: Final = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "SlowDown",
        "TransactionInProgressException",
    }
)
_VALIDATION: Final = frozenset({"ValidationException", "ValidationError"})
_IN_USE: Final = frozenset({"ResourceInUse", "ResourceInUseException"})
_NOT_FOUND: Final = frozenset(
    {"ResourceNotFound", "ResourceNotFoundException", "NoSuchResourceException", "RecordNotFound", "NoSuchEntity"}
)
_SIGNATURES: Final = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "RequestExpired",
        "IncompleteSignature",
        "IncompleteSignatureException",
    }
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_BAD_KEYS: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidToken",
        "InvalidAccessKeyId",
        "AuthFailure",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
_KMS_CODES: Final = frozenset(
    {"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"}
)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"})
_SERVER_SIDE: Final = frozenset(
    {
        "InternalFailure",
        "InternalError",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ServiceException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
_NOT_THIS_SERVICE: Final = frozenset(
    {"UnknownOperationException", "UnknownOperation", "InvalidAction", "SerializationException"}
)

_CAPACITY: Final = frozenset(
    {
        "CapacityError",
        "EC2InsufficientCapacityError",
        "InsufficientCapacity",
        "InsufficientCapacityException",
        "InsufficientInstanceCapacity",
    }
)
NO_CAPACITY_HINT: Final = (
    "AWS has no capacity for that instance type now: appfleet tries again later. With a `fallback` type the "
    "app uses another one"
)
_IMAGE_WORDS: Final = (
    "image",
    "images",
    "imageversion",
    "appimageconfig",
    "sagemakerimage",
    "sagemakerimagearn",
    "sagemakerimageversionarn",
    "sagemakerimageversionalias",
)
_TRAINING_PLAN_WORDS: Final = ("training plan", "trainingplan", "trainingplanarn")
_TRAINING_PLAN_HINT: Final = (
    "Check training_plan_arn in fleet.toml, and in the SageMaker console the plan: its status, its dates, its instance "
    "type, and that it is for Studio apps"
)
KMS_WORDS: Final = ("kms", "kms key", "awskms", "customer master key")
_LIFECYCLE_CONFIG_WORDS: Final = (
    "lifecycle config",
    "lifecycle configuration",
    "lifecycleconfig",
    "studiolifecycleconfig",
)
KMS_HINT: Final = (
    "Let the caller and the domain's execution role use the KMS key: allow kms:CreateGrant, kms:Decrypt and "
    "kms:DescribeKey in the policy of the key, and check that the key is enabled"
)
# As words of a message that is about the key: a profile may be called kms.
_KMS_REFUSALS: Final = ("kms key", "awskms", "kms:creategrant", "kms:decrypt", "customer master key")
NETWORK_WORDS: Final = ("ip address", "ip addresses", "mount target", "mount targets")
NETWORK_HINT: Final = (
    "Check the subnets of the domain: free IP addresses, an EFS mount target in each zone, and what the security "
    "groups allow"
)

_CLOCK_WORDS: Final = ("signature expired", "signature not yet current", "is now earlier than", "is now later than")


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row: it fits when the code is one of `codes` and every other condition that is set holds too.

    `fragments` are lower-cased words of which the message holds one, as whole words and outside of names: what stands
    in brackets or in an ARN is a user's word and decides nothing. `operations` are the API's names; `silent` asks for a
    message without words. `hint` may name `{operation}` and `{action}`, the IAM action.
    """

    codes: frozenset[str]
    kind: type[CloudError]
    hint: str
    fragments: tuple[str, ...] = ()
    operations: frozenset[str] = frozenset()
    silent: bool = False


ERROR_TABLE: Final = (
    ErrorRow(
        _THROTTLES,
        Throttled,
        "Other callers use up this account's API rate. Run again later, or raise give_up_after in "
        "[backoff.ThrottlingException]",
    ),
    ErrorRow(frozenset({"ResourceLimitExceeded", "ServiceQuotaExceededException"}), QuotaExceeded, ""),
    ErrorRow(_CAPACITY, NoCapacity, NO_CAPACITY_HINT),
    ErrorRow(_VOLUME_RATE, Occupied, _VOLUME_HINT),
    ErrorRow(_VALIDATION | _IN_USE, Occupied, _VOLUME_HINT, ("volumemodificationrateexceeded",), _UPDATES),
    ErrorRow(
        _IN_USE | _VALIDATION,
        Rejected,
        "Waiting does not help: it has failed on the service's side. Open it in the SageMaker console for the reason",
        ("update_failed", "delete_failed", "failed status", "status failed", "failed state", "status is failed"),
        _NEEDS_A_READY_OWNER,
    ),
    ErrorRow(
        _IN_USE,
        StorageNotReady,
        "The space's volume is still being attached; appfleet tries again",
        ("storage is not in available status",),
        _CREATE_APP,
    ),
    ErrorRow(
        _IN_USE | _VALIDATION,
        StorageNotReady,
        "The user profile or space is not InService yet; appfleet tries again",
        ("is not in inservice", "not in inservice status", "is in updating status", "is currently being updated"),
        _NEEDS_A_READY_OWNER,
    ),
    ErrorRow(  # not ResourceInUse: there it is the app of that name that is Pending
        _VALIDATION,
        StorageNotReady,
        "The user profile or space is not InService yet; appfleet tries again",
        ("is in pending status",),
        _NEEDS_A_READY_OWNER,
    ),
    ErrorRow(
        _IN_USE,
        InUse,
        "Its apps have to be Deleted first, then its spaces, then the profile itself",
        operations=_DELETE_OWNERS,
    ),
    ErrorRow(_IN_USE, InUse, "Something of that name exists; run `appfleet status` to see in which state"),
    ErrorRow(_NOT_FOUND, AlreadyGone, "It is already deleted, as intended", operations=_DELETES),
    ErrorRow(
        _VALIDATION,
        AlreadyGone,
        "It is already deleted, as intended",
        (
            "has already been deleted",
            "previously failed and was automatically deleted",
            "does not exist",
            "recordnotfound",
        ),
        _DELETE_APP,
    ),
    ErrorRow(
        _NOT_FOUND | _VALIDATION,
        NotFound,
        "Check the domain's id, region and account in fleet.toml",
        _NOT_FOUND_WORDS,
        _OF_A_DOMAIN,
    ),
    ErrorRow(_NOT_FOUND, NotFound, _TRAINING_PLAN_HINT, _TRAINING_PLAN_WORDS, _CREATE_APP),
    ErrorRow(_VALIDATION, Rejected, _TRAINING_PLAN_HINT, _TRAINING_PLAN_WORDS, _CREATE_APP),
    ErrorRow(_NOT_FOUND, NotFound, _TRAINING_PLAN_HINT, operations=frozenset({"DescribeTrainingPlan"})),
    ErrorRow(_VALIDATION, NotFound, _TRAINING_PLAN_HINT, _NOT_FOUND_WORDS, frozenset({"DescribeTrainingPlan"})),
    ErrorRow(
        _NOT_FOUND | _VALIDATION,
        NotFound,
        "Attach the image to the domain with an app image config, and check image_arn, image_version_arn and "
        "image_version_alias in fleet.toml: region, account and spelling",
        _IMAGE_WORDS,
        _CREATE_APP,
    ),
    ErrorRow(
        _NOT_FOUND | _VALIDATION,
        NotFound,
        "Attach the lifecycle configuration to the domain, and check lifecycle_config_arn in fleet.toml: region, "
        "account and spelling",
        _LIFECYCLE_CONFIG_WORDS,
        _CREATE_APP,
    ),
    ErrorRow(_VALIDATION, AccessDenied, KMS_HINT, _KMS_REFUSALS, _NEEDS_A_READY_OWNER),
    ErrorRow(_KMS_CODES, AccessDenied, KMS_HINT),
    ErrorRow(_VALIDATION, Rejected, NETWORK_HINT, NETWORK_WORDS, _CREATE_APP),
    ErrorRow(
        _NOT_FOUND,
        NotFound,
        "Check the domain's id and region, and whether the user profile or space exists "
        "([owners] create = true lets appfleet create it)",
    ),
    ErrorRow(
        _VALIDATION,
        NotFound,
        "Check the domain's id and region, and whether the user profile or space exists "
        "([owners] create = true lets appfleet create it)",
        _NOT_FOUND_WORDS,
    ),
    ErrorRow(
        _VALIDATION,
        NotFound,
        "The service returns this for an app that is Deleted or Failed: it no longer has tags",
        operations=_TAG_CALLS,
        silent=True,
    ),
    ErrorRow(
        _VALIDATION,
        ScanIncomplete,
        "The listing lost its place, so it starts again",
        ("nexttoken", "next token", "pagination token"),
        _LISTS,
    ),
    ErrorRow(
        _VALIDATION | frozenset({"InvalidParameterValue", "InvalidParameterException", "ValidationErrorException"}),
        Rejected,
        "Correct what the message names in the fleet file; the same request is refused again",
    ),
    ErrorRow(
        _SIGNATURES,
        CredentialsFailed,
        "This machine's clock is more than 5 minutes off: set it (timedatectl set-ntp true), then run again",
        _CLOCK_WORDS,
    ),
    ErrorRow(
        frozenset({"RequestTimeTooSkewed", "RequestExpired"}),
        CredentialsFailed,
        "This machine's clock is more than 5 minutes off: set it (timedatectl set-ntp true), then run again",
    ),
    ErrorRow(
        _SIGNATURES,
        CredentialsFailed,
        "The secret key does not fit the access key, or the clock is wrong: check both (aws sts get-caller-identity)",
    ),
    ErrorRow(
        _EXPIRED,
        CredentialsFailed,
        "The credentials have expired: get new ones (for SSO, aws sso login), then run again; finished apps are kept",
    ),
    ErrorRow(
        _BAD_KEYS,
        CredentialsFailed,
        "The service does not know these credentials: check the profile and the region (aws sts get-caller-identity)",
    ),
    ErrorRow(
        frozenset({"OptInRequired", "SubscriptionRequiredException"}),
        AccessDenied,
        "The account is not opted in to this region or service: enable the region in the account's settings",
    ),
    ErrorRow(
        _DENIED,
        AccessDenied,
        "An explicit deny (a policy, a boundary or an SCP) forbids {action}: allowing it elsewhere does not help",
        ("explicit deny",),
    ),
    ErrorRow(
        _DENIED,
        AccessDenied,
        "Allow iam:PassRole to the caller, on the execution role that the message names",
        ("iam:passrole",),
    ),
    ErrorRow(_DENIED, AccessDenied, KMS_HINT, KMS_WORDS),
    ErrorRow(
        _DENIED,
        AccessDenied,
        "Allow {action} on the app ARNs: every CreateApp sends the tag appfleet:fleet, so it needs sagemaker:AddTags "
        "too (`appfleet iam-policy` prints the whole policy)",
        operations=_CREATE_APP,
    ),
    ErrorRow(
        _DENIED,
        AccessDenied,
        "Allow {action} to the caller (`appfleet iam-policy --prices` prints the whole policy), or write [prices] by "
        "hand",
        operations=frozenset({"GetProducts"}),
    ),
    ErrorRow(
        _DENIED,
        AccessDenied,
        "Allow sts:AssumeRole to the caller, and the caller in the role's trust policy. If that policy requires an "
        "external id, set external_id beside role_arn to the same text",
        operations=frozenset({"AssumeRole"}),
    ),
    ErrorRow(_DENIED, AccessDenied, "Allow {action} to the caller (`appfleet iam-policy` prints the whole policy)"),
    ErrorRow(
        _SERVER_SIDE,
        OutcomeUnknown,
        "The service failed, but may have carried out the call; appfleet checks before it tries again",
    ),
    ErrorRow(
        _NOT_THIS_SERVICE,
        Rejected,
        "SageMaker does not offer {operation} in this region: check `region` in fleet.toml. With an endpoint that "
        "is not AWS's own, check --endpoint-url",
        ("called region", "not supported in this region", "not available in this region"),
    ),
    ErrorRow(
        _NOT_THIS_SERVICE,
        Rejected,
        "The endpoint does not know {operation}: check --endpoint-url and the AWS_ENDPOINT_URL variables",
    ),
)
