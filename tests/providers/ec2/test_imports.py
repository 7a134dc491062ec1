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


def test_without_the_sdk_the_command_that_installs_it_is_named() -> None:
    program = "import sys; sys.modules['boto3'] = None; from scaler.__main__ import main; sys.argv = ['scale', 'status', 'ec2:i-0abc']; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "scale-up[ec2]" in done.stderr
    assert "Traceback" not in done.stderr
