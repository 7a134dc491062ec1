"""Naming the provider costs nothing: the SDK is loaded by the first call."""

import subprocess
import sys

PROGRAM = """
import sys
from scaler_providers.ec2.provider import Ec2Provider
Ec2Provider()
print([name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore", "urllib3")])
"""


def test_neither_importing_nor_making_a_provider_loads_the_sdk() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
