"""An EC2 of one's own on this machine: moto's server with one small instance, for the demo.

`python -m scaler_providers.ec2.emulator TYPE NAME` prints one line of JSON (`endpoint`, `region`, `instance`) and serves until its
standard input ends, so that it cannot outlive whoever started it.
"""

import json
import sys
from typing import Any

REGION = "us-east-1"


def main(type_name: str, name: str) -> None:
    """Serve until standard input ends."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a demo's dependency, slow to load

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        print(json.dumps({"endpoint": endpoint, "region": REGION, "instance": _launch(endpoint, type_name, name)}), flush=True)  # noqa: T201
        sys.stdin.read()
    finally:
        server.stop()


def _launch(endpoint: str, type_name: str, name: str) -> str:
    import boto3  # noqa: PLC0415 - as above

    ec2: Any = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",  # noqa: S106 - moto takes any
    )
    image = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
    launched = ec2.run_instances(ImageId=image, InstanceType=type_name, MinCount=1, MaxCount=1, TagSpecifications=tags)
    instance_id: str = launched["Instances"][0]["InstanceId"]
    return instance_id


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
