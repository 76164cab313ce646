"""Objects of an S3 bucket, each write on a condition. One call on the wire each, but for a listing.

Not here: what the objects say, and what is done when a write is refused (`executor.lease`).
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from engine.adapters.aws.calls import AwsCalls, Send
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.errors import CloudError, NotFound, Rejected, Throttled
from engine.core.limits import OBJECT_MAX_BYTES, OBJECT_NAMES_MAX_COUNT, OBJECT_TAG_MAX_CHARS
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_TYPES: Final = {"html": "text/html; charset=utf-8", "jsonl": "application/x-ndjson"}
# There is no such object; a write that names a version of it is refused with the same code.
_NO_OBJECT: Final = frozenset({"NoSuchKey", "404"})
_NOT_THAT_VERSION: Final = frozenset({"PreconditionFailed", "412", *_NO_OBJECT})
# The bucket is in another region. Where the service says which, the library itself goes there.
_ELSEWHERE: Final = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_SLOWER: Final = "The store is throttling requests. Run again in a minute, and check what else uses it"
# Two writes of one object at the same moment: nothing was written, and the store asks for another try.
_AT_ONCE: Final = frozenset({"ConditionalRequestConflict", "OperationAborted"})


class S3Objects(AwsCalls):
    """The objects below a prefix of a bucket, as one set of credentials reaches them. `Clouds.objects` makes it."""

    def __init__(self, *, s3: Any, bucket: str, prefix: str, **more: Any) -> None:
        super().__init__(sagemaker=None, sts=None, **more)
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    @property
    def endpoint(self) -> str:
        """Where the objects are, empty where that is AWS itself."""
        return self._endpoint

    async def get(self, name: str) -> StoredObject | None:
        """GetObject: the newest version, or None where there is none. Raises CloudError."""

        async def send() -> Any:
            answer = await self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
            length = answer.get("ContentLength")
            if not isinstance(length, int) or not 0 <= length <= OBJECT_MAX_BYTES:
                answer["Body"].close()
                raise UnreadableAnswerError(f"ContentLength is missing, or more than {OBJECT_MAX_BYTES:,} bytes")
            return answer, await answer["Body"].read()

        try:
            return await self._asked("GetObject", send, _stored)
        except CloudError as error:
            if error.service_code in _NO_OBJECT:
                return None
            raise

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """PutObject with If-Match, or with If-None-Match. Raises WriteRefusedError, and CloudError."""
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        send = partial(
            self._s3.put_object,
            Bucket=self._bucket, Key=self._prefix + name, Body=data,
            ContentType=_TYPES.get(name.rpartition(".")[2], "application/json"), **condition,
        )  # fmt: skip
        try:
            return await self._asked("PutObject", send, _tag)
        except CloudError as error:
            if error.service_code in _NOT_THAT_VERSION:
                raise WriteRefusedError(name) from None
            raise

    async def names(self, under: str) -> tuple[str, ...]:
        """ListObjectsV2, page after page: the names of all objects below `under`, sorted. Raises CloudError."""
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            send = partial(self._s3.list_objects_v2, Bucket=self._bucket, Prefix=self._prefix + under, **more)
            page, token = await self._asked("ListObjectsV2", send, self._names)
            found += page
            if not token:
                return tuple(sorted(found))
            if len(found) > OBJECT_NAMES_MAX_COUNT:
                raise Rejected(
                    f"s3://{self._bucket}/{self._prefix}{under} holds more than {OBJECT_NAMES_MAX_COUNT:,} objects",
                    hint="Let a lifecycle rule of the bucket expire what is old",
                    operation="ListObjectsV2",
                )
            more = {"ContinuationToken": token}

    async def keeps_old_versions(self) -> bool:
        """Return whether the bucket keeps old versions and no lifecycle rule expires them. Raises CloudError."""
        send = partial(self._s3.get_bucket_versioning, Bucket=self._bucket)
        if await self._asked("GetBucketVersioning", send, lambda answer: answer.get("Status")) != "Enabled":
            return False
        send = partial(self._s3.get_bucket_lifecycle_configuration, Bucket=self._bucket)
        try:
            rules = await self._asked("GetBucketLifecycleConfiguration", send, lambda answer: answer.get("Rules") or [])
        except CloudError as error:
            if error.service_code == "NoSuchLifecycleConfiguration":
                return True
            raise
        return not any("NoncurrentVersionExpiration" in rule for rule in rules)

    async def _asked(self, operation: str, send: Send, read: Callable[[Any], T]) -> T:
        """Make one call. Raises CloudError, with a word on the bucket or on another try where that says more."""
        try:
            return await self._ask(operation, send, read)
        except CloudError as error:
            code, request_id = error.service_code, error.request_id
            if code == "NoSuchBucket":
                raise NotFound(
                    f"The bucket {self._bucket} does not exist",
                    hint="Create it, or correct its name",
                    operation=operation,
                    service_code=code,
                    request_id=request_id,
                ) from None
            if code in _ELSEWHERE:
                raise Rejected(
                    f"The bucket {self._bucket} is in another region than {self._s3.meta.region_name}",
                    hint="Set AWS_REGION to the bucket's region; domains name their own",
                    operation=operation,
                    service_code=code,
                    request_id=request_id,
                ) from None
            if code in _AT_ONCE:
                raise Throttled(error.message, operation=operation, service_code=code, request_id=request_id) from None
            if isinstance(error, Throttled):
                raise Throttled(
                    error.message, hint=_SLOWER, operation=operation, service_code=code, request_id=request_id
                ) from None
            raise

    def _names(self, answer: Any) -> tuple[list[str], str]:
        if not isinstance(answer.get("IsTruncated"), bool):  # something else answered, such as a page to sign in
            raise UnreadableAnswerError("the answer is not a listing")
        rows = answer.get("Contents") or []
        keys = [row.get("Key") for row in rows]
        if not all(isinstance(key, str) and key.startswith(self._prefix) for key in keys):
            raise UnreadableAnswerError("a row is of another prefix than requested")
        token = answer.get("NextContinuationToken") if answer["IsTruncated"] else ""
        if answer["IsTruncated"] and not token:
            raise UnreadableAnswerError("the listing continues and does not say where")
        return [key[len(self._prefix) :] for key in keys], token or ""


def _stored(found: tuple[Mapping[str, Any], bytes]) -> StoredObject:
    answer, data = found
    modified = answer.get("LastModified")
    if not isinstance(modified, datetime):
        raise UnreadableAnswerError("LastModified is missing or is not a time")
    return StoredObject(data, _tag(answer), modified.timestamp(), _now(answer))


def _tag(answer: Mapping[str, Any]) -> str:
    tag = answer.get("ETag")
    if not isinstance(tag, str) or not 0 < len(tag) <= OBJECT_TAG_MAX_CHARS:
        raise UnreadableAnswerError("ETag is missing or is not a version's name")
    return tag


def _now(answer: Mapping[str, Any]) -> float:
    """Return the store's clock as it answered, in epoch seconds."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        raise UnreadableAnswerError("the header Date is missing or is not a time") from None
