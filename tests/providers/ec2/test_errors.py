"""Every vendor error becomes the domain's, with its text and code kept."""

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions as vendor
import pytest
from botocore.parsers import ResponseParserError

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    NoCapacity,
    NotDone,
    NotFound,
    QuotaExceeded,
    ScalerError,
    Throttled,
    Unavailable,
    WrongState,
)
from scaler_providers.ec2.errors import CODES, Context, from_answer, from_failure, translated

CONTEXT = Context("ec2", "eu-west-1", "i-0abc", "https://ec2.eu-west-1.amazonaws.com")


def answer(code: str, text: str = "the vendor's text", status: int = 400) -> ScalerError:
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return from_answer(response, "StartInstances", CONTEXT)


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_a_code_of_the_table_becomes_its_class_and_is_kept(code: str, kind: type[ScalerError]) -> None:
    error = answer(code)

    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("IncorrectInstanceState", WrongState),
        ("InsufficientInstanceCapacity", NoCapacity),
        ("ReservationCapacityExceeded", NoCapacity),
        ("Unsupported", NoCapacity),
        ("VcpuLimitExceeded", QuotaExceeded),
        ("InvalidInstanceAttributeValue", Incompatible),
        ("InvalidParameterValue", Incompatible),
        ("UnsupportedOperation", Incompatible),
        ("RequestLimitExceeded", Throttled),
        ("ThrottlingOfAKindNotSeenYet", Throttled),
        ("InternalError", Unavailable),
        ("InvalidInstanceID.NotFound", NotFound),
        ("InvalidInstanceID.Malformed", NotFound),
        ("UnauthorizedOperation", AccessDenied),
        ("ExpiredToken", CredentialsMissing),
    ],
)
def test_the_classes_that_somebody_branches_on_are_these(code: str, kind: type[ScalerError]) -> None:
    assert type(answer(code)) is kind


def test_a_capacity_error_is_one_although_its_status_is_500() -> None:
    assert type(answer("InsufficientInstanceCapacity", status=500)) is NoCapacity


def test_an_unknown_code_keeps_text_and_code() -> None:
    error = answer("QuiteNew", "something quite new")

    assert type(error) is NotDone
    assert error.code == "QuiteNew"
    assert "something quite new (QuiteNew)" in str(error)


def test_an_unknown_code_with_a_5xx_passes() -> None:
    assert type(answer("QuiteNew", status=503)) is Unavailable


def test_the_launch_plan_mismatch_passes_though_its_code_is_that_of_a_refusal() -> None:
    text = "The requested LaunchPlan instance type does not match attribute value"

    assert type(answer("InvalidParameterValue", text)) is Unavailable


def test_an_answer_without_an_error_in_it_is_still_an_error() -> None:
    assert type(from_answer({}, "StartInstances", CONTEXT)) is NotDone


def test_a_denial_names_the_permission_and_leaves_the_encoded_message_out() -> None:
    error = answer(
        "UnauthorizedOperation", "You are not authorized. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnu"
    )

    assert "ec2:StartInstances" in str(error)
    assert "ec2:StartInstances" in error.hint
    assert "4GIO" not in str(error)


def test_not_found_says_where_it_looked_and_that_it_looked_nowhere_else() -> None:
    assert "i-0abc in eu-west-1" in str(answer("InvalidInstanceID.NotFound"))
    assert "Other regions were not looked at" in str(answer("InvalidInstanceID.NotFound"))


def test_bad_credentials_come_with_the_command_to_check_them() -> None:
    assert "aws sts get-caller-identity" in answer("AuthFailure").hint


def test_the_quota_hint_says_where_to_ask_for_more() -> None:
    assert "Service Quotas" in answer("VcpuLimitExceeded").hint


@pytest.mark.parametrize(
    "error",
    [
        vendor.EndpointConnectionError(endpoint_url=CONTEXT.endpoint),
        vendor.ConnectTimeoutError(endpoint_url=CONTEXT.endpoint),
        vendor.ReadTimeoutError(endpoint_url=CONTEXT.endpoint),
        vendor.ConnectionClosedError(endpoint_url=CONTEXT.endpoint),
        vendor.SSLError(endpoint_url=CONTEXT.endpoint, error=OSError("bad handshake")),
        vendor.ProxyConnectionError(proxy_url="http://proxy"),
        vendor.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
)
def test_a_call_without_an_answer_passes_and_names_the_endpoint(error: Exception) -> None:
    translation = from_failure(error, CONTEXT)

    assert type(translation) is Unavailable
    assert CONTEXT.endpoint in str(translation)


@pytest.mark.parametrize(
    "error",
    [
        vendor.NoCredentialsError(),
        vendor.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        vendor.CredentialRetrievalError(provider="process", error_msg="exit 1"),
        vendor.ProfileNotFound(profile="staging"),
        vendor.UnauthorizedSSOTokenError(),
        vendor.TokenRetrievalError(provider="sso", error_msg="expired"),
        vendor.NoRegionError(),
    ],
)
def test_credentials_that_cannot_be_had_are_missing_and_hinted_at(error: Exception) -> None:
    translation = from_failure(error, CONTEXT)

    assert type(translation) is CredentialsMissing
    assert translation.hint


def test_a_mistake_of_ours_is_not_taken_for_a_passing_fault() -> None:
    assert type(from_failure(vendor.ParamValidationError(report="Unknown parameter"), CONTEXT)) is NotDone


@contextmanager
def raising(error: Exception) -> Iterator[None]:
    with translated(CONTEXT):
        raise error
    yield


def test_the_vendors_exception_is_kept_as_the_cause() -> None:
    original = vendor.EndpointConnectionError(endpoint_url=CONTEXT.endpoint)

    with pytest.raises(Unavailable) as caught, raising(original):
        pass

    assert caught.value.__cause__ is original


def test_an_answer_that_cannot_be_read_passes() -> None:
    with pytest.raises(Unavailable), raising(ResponseParserError("not well-formed")):
        pass


def test_a_bug_is_not_translated() -> None:
    with pytest.raises(KeyError), raising(KeyError("Reservations")):
        pass
