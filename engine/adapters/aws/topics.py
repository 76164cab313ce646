"""Amazon SNS: one notice published to one topic. `Clouds.topic` makes it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from engine.adapters.aws.calls import AwsCalls, required_text
from engine.core.errors import AccessDenied, CloudError, CredentialsFailed, NotFound, Rejected
from engine.ports.notify import Notice, NotSentError

SUBJECT_MAX_CHARS: Final = 99  # of a mail: fewer than 100, plain ASCII, without line breaks
_FIFO: Final = ".fifo"


class Topic(AwsCalls):
    """A topic, as the caller's own credentials reach it."""

    def __init__(self, *, sns: Any, arn: str, **more: Any) -> None:
        super().__init__(sagemaker=None, sts=None, **more)
        self._sns = sns
        self._arn = arn

    async def send(self, notice: Notice) -> None:
        """Publish. Raises NotSentError."""
        subject = notice.title.encode("ascii", "replace").decode()[:SUBJECT_MAX_CHARS]
        params = {"TopicArn": self._arn, "Subject": subject, "Message": f"{notice.title}\n\n{notice.text}"}
        if self._arn.endswith(_FIFO):  # the topic drops a second try of a notice that it took
            params |= {"MessageGroupId": "appfleet", "MessageDeduplicationId": notice.run_id}
        try:
            await self._ask("Publish", partial(self._sns.publish, **params), required_text, "MessageId")
        except CloudError as error:
            raise not_sent(error) from None


def not_sent(error: CloudError) -> NotSentError:
    """Return the error of a notice that `error` kept from being published."""
    is_final = isinstance(error, AccessDenied | CredentialsFailed | NotFound | Rejected)
    return NotSentError(error.message, error.hint or "Check the topic's ARN and sns:Publish", is_final=is_final)
