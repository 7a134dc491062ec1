"""The README's permissions are those of the calls made, no more and no less."""

import json
import re
from pathlib import Path

from scaler.domain.instance import Reference, TagKey
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import Launch
from tests.providers.ec2.faults import FaultProxy

README = Path(__file__).parents[3] / "README.md"


def documented() -> set[str]:
    text = README.read_text(encoding="utf-8")
    block = re.search(r"<!-- permissions.*?```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return {action for statement in json.loads(block[1])["Statement"] for action in statement["Action"]}


def test_the_permissions_in_the_readme_are_those_of_the_calls_made(proxy: FaultProxy, launch: Launch) -> None:
    instance = launch("t3.micro")
    proxy.clear()
    provider = Ec2Provider()  # one that has nothing cached

    provider.find(Reference.parse(instance.id))
    provider.find_with_intent()
    provider.observe([instance.id])
    provider.offerings(instance)
    provider.check(instance, "t3.small")
    provider.write_tag(instance.id, TagKey.INTENT, "v1")
    provider.stop(instance.id)
    provider.set_instance_type(instance.id, "t3.small")
    provider.start(instance.id)
    provider.console_log(instance.id)
    provider.write_tag(instance.id, TagKey.INTENT, None)

    assert {f"{'pricing' if action == 'GetProducts' else 'ec2'}:{action}" for action in proxy.actions} == documented()
