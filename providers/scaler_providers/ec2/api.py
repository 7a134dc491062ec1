"""Calls to AWS: one session, one client for each service and region, made when first needed."""

# ruff: noqa: PLC0415 - the SDK takes half a second to load and is loaded by the first call

import difflib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from scaler.domain.errors import CredentialsMissing, ScalerError, UsageError
from scaler_providers.ec2.errors import Context, from_failure, no_credentials, no_region, translated

if TYPE_CHECKING:
    from boto3.session import Session

Record = Mapping[str, Any]
"""A piece of an answer of AWS, with AWS's own keys. Stays inside this adapter."""

Client = Any
"""botocore makes its clients' methods at run time."""

_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_DRY_RUN = "DryRunOperation"


class Api:
    """Calls by operation name (`describe_instances`); every error leaves as one of `scaler.domain.errors`. Nothing is tried twice."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Client] = {}

    def call(self, region: str, operation: str, subject: str = "", **parameters: object) -> Record:
        """One EC2 call; `subject` is what it acts on, for the words of an error."""
        client = self.client("ec2", region)
        with translated(Context("ec2", region, subject, client.meta.endpoint_url)):
            answer: Record = getattr(client, operation)(**parameters)
            return answer

    def pages(self, region: str, operation: str, key: str, **parameters: object) -> Iterator[Record]:
        """All entries under `key`, page by page."""
        token: Mapping[str, object] = {}
        while True:
            answer = self.call(region, operation, "", **parameters, **token)
            yield from answer.get(key, ())
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def refusal(self, region: str, operation: str, subject: str, **parameters: object) -> ScalerError | None:
        """Ask for a dry run: None where the call would be allowed, else the error it would meet."""
        try:
            self.call(region, operation, subject, DryRun=True, **parameters)
        except ScalerError as error:
            return None if error.code == _DRY_RUN else error
        return None

    def client(
        self, service: str, region: str, *, read_seconds: float = _READ_SECONDS, connect_seconds: float = _CONNECT_SECONDS
    ) -> Client:
        """The client of a service in a region.

        Raises:
            UsageError: there is no such region.
            CredentialsMissing: no credentials are found.
        """
        if (service, region) not in self._clients:
            self._require_region(region)
            self._require_credentials()
            self._clients[service, region] = self._make(service, region, read_seconds, connect_seconds)
        return self._clients[service, region]

    @property
    def default_region(self) -> str:
        """The region of the environment or the profile.

        Raises:
            CredentialsMissing: none is set.
        """
        # boto3 reads AWS_DEFAULT_REGION only; every other AWS SDK and the AWS CLI read AWS_REGION first.
        region = os.environ.get("AWS_REGION") or self._session.region_name
        if not region:
            raise no_region()
        return region

    def _make(self, service: str, region: str, read_seconds: float, connect_seconds: float) -> Client:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            retries={"total_max_attempts": 1},  # the engine retries
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            user_agent_extra=f"scale-up/{version('scale-up')}",
        )
        try:
            return self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
        except (BotoCoreError, ValueError) as error:  # ValueError: AWS_ENDPOINT_URL is no URL
            endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
            if isinstance(error, BotoCoreError):
                raise from_failure(error, Context(service, region, "", endpoint)) from error
            raise UsageError(f"The endpoint {endpoint!r} cannot be used: {error}", hint="Check AWS_ENDPOINT_URL.") from error

    @cached_property
    def _session(self) -> "Session":
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            return boto3.session.Session()
        except BotoCoreError as error:
            raise no_credentials(str(error)) from error

    @cached_property
    def _regions(self) -> list[str]:
        partitions = self._session.get_available_partitions()
        return sorted(region for each in partitions for region in self._session.get_available_regions("ec2", each))

    def _require_region(self, region: str) -> None:
        """A misspelt region would otherwise show as a host name that does not resolve."""
        if region not in self._regions:
            close = difflib.get_close_matches(region, self._regions, n=3)
            hint = f"Did you mean {' or '.join(close)}?" if close else "Write it like eu-west-1."
            raise UsageError(
                f"{region!r} is no AWS region.", hint=f"{hint} A region newer than the installed botocore needs its update."
            )

    def _require_credentials(self) -> None:
        from botocore.exceptions import BotoCoreError

        try:
            found = self._session.get_credentials()
        except BotoCoreError as error:
            raise no_credentials(str(error)) from error
        if found is None:
            raise self._nothing_found()

    def _nothing_found(self) -> CredentialsMissing:
        return no_credentials("none in the environment, the shared files or the instance's role")
