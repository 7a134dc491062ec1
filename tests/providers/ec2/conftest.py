"""EC2 as moto plays it, over real HTTP on a loopback port, behind a proxy that can make it fail."""

import logging
import os
from collections.abc import Iterator, Mapping

import boto3
import pytest
from moto.server import ThreadedMotoServer

from scaler.domain.instance import Instance, Reference
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import REGION, Emulator, Launch
from tests.providers.ec2.faults import FaultProxy


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def _session_proxy(moto_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(moto_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _environment(_session_proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    nothing = str(tmp_path_factory.mktemp("aws") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", _session_proxy.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", nothing)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", nothing)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def proxy(_session_proxy: FaultProxy, _environment: None) -> Iterator[FaultProxy]:
    _session_proxy.clear()
    yield _session_proxy
    _session_proxy.clear()


@pytest.fixture(scope="session")
def _session_provider(_environment: None) -> Ec2Provider:
    """One for all tests: its clients and its catalogue take a second to make."""
    return Ec2Provider()


@pytest.fixture
def provider(_session_provider: Ec2Provider, proxy: FaultProxy) -> Ec2Provider:
    return _session_provider


@pytest.fixture(scope="session")
def _images(moto_url: str, _environment: None) -> Mapping[str, str]:
    """An image by platform, `linux` and `windows`."""
    images = _client(moto_url).describe_images(Owners=["amazon"])["Images"]
    x86 = [image for image in images if image["Architecture"] == "x86_64"]
    return {image.get("Platform", "linux"): image["ImageId"] for image in x86}


@pytest.fixture
def ec2(moto_url: str, _environment: None) -> Emulator:
    """The emulator itself, past the proxy: to arrange and to look."""
    return _client(moto_url)


@pytest.fixture
def launch(ec2: Emulator, provider: Ec2Provider, _images: Mapping[str, str]) -> Iterator[Launch]:
    """Start an instance; all are terminated at the end of the test."""
    launched: list[str] = []

    def run(type_name: str = "t3.small", name: str = "", platform: str = "linux", **tags: str) -> Instance:
        answer = ec2.run_instances(ImageId=_images[platform], InstanceType=type_name, MinCount=1, MaxCount=1)
        found = str(answer["Instances"][0]["InstanceId"])
        launched.append(found)
        if name or tags:
            wanted = {**({"Name": name} if name else {}), **tags}
            ec2.create_tags(Resources=[found], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()])
        return provider.find(Reference("ec2", f"{REGION}/{found}"))[0]

    yield run
    if launched:
        ec2.terminate_instances(InstanceIds=launched)


_clients: dict[str, Emulator] = {}


def _client(url: str) -> Emulator:
    if url not in _clients:
        _clients[url] = boto3.client("ec2", region_name=REGION, endpoint_url=url)
    return _clients[url]
