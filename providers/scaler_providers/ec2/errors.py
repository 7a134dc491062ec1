"""What AWS answers when it does not do what it was asked, in scale's words. The one place where vendor errors are read."""

# ruff: noqa: PLC0415 - the SDK takes half a second to load and is loaded by the first call

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    NoCapacity,
    NotDone,
    NotFound,
    QuotaExceeded,
    Refused,
    ScalerError,
    Throttled,
    Unavailable,
    WrongState,
)

_BY_CLASS: Mapping[type[ScalerError], str] = {
    NotFound: "InvalidInstanceID.NotFound InvalidInstanceID.Malformed InvalidInstanceID InvalidID",
    AccessDenied: "UnauthorizedOperation AccessDenied AccessDeniedException",
    CredentialsMissing: (
        "AuthFailure InvalidClientTokenId UnrecognizedClientException ExpiredToken ExpiredTokenException RequestExpired "
        "SignatureDoesNotMatch MissingAuthenticationToken IncompleteSignature InvalidAccessKeyId InvalidToken OptInRequired"
    ),
    Throttled: (
        "RequestLimitExceeded Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
        "EC2ThrottledException TooManyRequestsException BandwidthLimitExceeded SlowDown"
    ),
    Unavailable: "InternalError InternalFailure InternalServerError ServiceUnavailable Unavailable RequestTimeout RequestTimeoutException",
    WrongState: "IncorrectInstanceState IncorrectState",
    NoCapacity: (
        "InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacityOnHost InsufficientReservedInstanceCapacity "
        "InsufficientCapacity ReservationCapacityExceeded Unsupported"
    ),
    QuotaExceeded: "VcpuLimitExceeded InstanceLimitExceeded",
    Incompatible: (
        "InvalidInstanceAttributeValue InvalidInstanceType InvalidParameterCombination InvalidParameterValue UnsupportedOperation "
        "UnsupportedInstanceAttribute UnsupportedHostConfiguration InvalidHostConfiguration UnsupportedTenancy "
        "AttachmentLimitExceeded PrivateIpAddressLimitExceeded"
    ),
    Refused: "OperationNotPermitted TagLimitExceeded",
}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and issues met by others' resizers.

`Unsupported` is what a start says where the zone does not have the type; capacity errors come with status 500, so codes go first.
"""

CODES: Mapping[str, type[ScalerError]] = {code: error for error, codes in _BY_CLASS.items() for code in codes.split()}

_LAUNCH_PLAN = "LaunchPlan instance type does not match"
"""A start shortly after a type change may meet a part of EC2 that has the old type still; it passes within seconds. The code is the
same InvalidParameterValue as for a type that can never work, so this one error is known by its text: there is no other way."""

_CREDENTIALS_HINT = (
    "Check the credentials with `aws sts get-caller-identity`, renew them (`aws sso login`), and check this machine's clock."
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a call was about, for the words of its error."""

    service: str
    """As in permissions: `ec2`, `pricing`."""
    region: str
    subject: str
    """What was acted on: `i-0abc`; empty where it is nothing in particular."""
    endpoint: str


@contextmanager
def translated(context: Context) -> Iterator[None]:
    """Let only `scaler.domain.errors` out of the block.

    Raises:
        ScalerError: a class by the vendor's code, `NotDone` for an unknown one; message and `code` are kept.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise from_answer(error.response, error.operation_name, context) from error
    except ResponseParserError as error:
        raise Unavailable(f"{context.endpoint} gave an answer that cannot be read.", hint=_endpoint_hint(context)) from error
    except BotoCoreError as error:
        raise from_failure(error, context) from error


def from_answer(response: Mapping[str, Any], operation: str, context: Context) -> ScalerError:
    """The error for an answer that says no; `operation` as in the API, `StopInstances`."""
    code = str(response.get("Error", {}).get("Code", ""))
    text = str(response.get("Error", {}).get("Message", "")).strip()
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = _class_of(code, text, status)
    about = f"{context.subject} in {context.region}" if context.subject else context.region
    if kind is NotFound:
        return not_found(context.subject, context.region, code=code)
    if kind is AccessDenied:
        return _access_denied(f"{context.service}:{operation}", about, code)
    if kind is CredentialsMissing:
        return CredentialsMissing(
            f"AWS does not accept the credentials: {text} ({code})", hint=_credentials_hint(context), code=code
        )
    detail = f"{text} ({code})" if code else text
    return kind(f"AWS did not do {operation} for {about}: {detail}", hint=_HINTS.get(kind, ""), code=code)


def _class_of(code: str, text: str, status: int) -> type[ScalerError]:
    if code == "InvalidParameterValue" and _LAUNCH_PLAN in text:
        return Unavailable
    if code in CODES:
        return CODES[code]
    if code.startswith("Throttl"):
        return Throttled
    return Unavailable if status >= 500 else NotDone


def not_found(subject: str, region: str, *, code: str = "") -> NotFound:
    """No such instance in the one region that was asked."""
    return NotFound(
        f"There is no instance {subject} in {region} for these credentials. Other regions were not looked at.",
        hint="Name its region, as in ec2:eu-west-1/i-0abc…, and check that AWS_PROFILE is the account it belongs to.",
        code=code,
    )


def _access_denied(permission: str, about: str, code: str) -> AccessDenied:
    return AccessDenied(
        f"The credentials may not do {permission} ({about}).", hint=f"Allow {permission} to this user or role.", code=code
    )


def _credentials_hint(context: Context) -> str:
    return f"{_CREDENTIALS_HINT} A region that the account has not enabled gives the same answer; this was {context.region}."


_HINTS: Mapping[type[ScalerError], str] = {
    QuotaExceeded: "Ask for more under Service Quotas > Amazon EC2, `Running On-Demand … instances` (counted in vCPUs).",
}


def from_failure(error: Exception, context: Context) -> ScalerError:
    """The error for a call that got no answer, or was never sent."""
    from botocore import exceptions as vendor

    if isinstance(error, vendor.NoRegionError):
        return no_region()
    if isinstance(error, (vendor.HTTPClientError, vendor.ConnectionError, vendor.IncompleteReadError)):
        return Unavailable(f"{context.endpoint} does not answer: {error}", hint=_endpoint_hint(context))
    if isinstance(error, _credential_errors()):
        return no_credentials(str(error))
    return NotDone(f"The call to {context.service} in {context.region} could not be made: {error}")


def _credential_errors() -> tuple[type[Exception], ...]:
    from botocore import exceptions as vendor

    return (
        vendor.NoCredentialsError,
        vendor.PartialCredentialsError,
        vendor.CredentialRetrievalError,
        vendor.MetadataRetrievalError,
        vendor.ProfileNotFound,
        vendor.ConfigNotFound,
        vendor.SSOError,
        vendor.TokenRetrievalError,
    )


def no_region() -> CredentialsMissing:
    return CredentialsMissing(
        "No AWS region is set.", hint="Set AWS_REGION, or name the region with the instance: ec2:eu-west-1/i-0abc…"
    )


def no_credentials(detail: str) -> CredentialsMissing:
    return CredentialsMissing(
        f"There are no usable AWS credentials: {detail}",
        hint="Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`.",
    )


def _endpoint_hint(context: Context) -> str:
    return f"Check the network between this machine and {context.endpoint} (proxy, firewall, AWS_ENDPOINT_URL)."
