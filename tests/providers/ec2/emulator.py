"""Words the EC2 tests share."""

from collections.abc import Callable
from typing import Any

from scaler.domain.instance import Instance

REGION = "us-east-1"

Emulator = Any
"""A boto3 client of the emulator itself, past the proxy."""

Launch = Callable[..., Instance]
"""Starts an instance of the emulator: `launch("t3.small", "web-1", platform="windows", role="web")`."""


def ec2_id(instance: Instance) -> str:
    """`i-0abc` of `ec2:us-east-1/i-0abc`."""
    return instance.id.rpartition("/")[2]
