"""What the adapter makes of the answers the emulator never gives, over a real connection."""

import pytest

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    ScalerError,
    Throttled,
    Unavailable,
    WrongState,
)
from scaler.domain.instance import Health, Instance, InstanceId, InstanceState, Reference, TagKey
from scaler.domain.operation import failed_to_start
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import Emulator, Launch, ec2_id
from tests.providers.ec2.faults import FaultProxy

STATUS = """<DescribeInstanceStatusResponse><instanceStatusSet><item><instanceId>{id}</instanceId>
<systemStatus><status>{system}</status></systemStatus><instanceStatus><status>{instance}</status></instanceStatus>
</item></instanceStatusSet></DescribeInstanceStatusResponse>"""


@pytest.fixture
def web(launch: Launch) -> Instance:
    return launch()


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InsufficientInstanceCapacity", 500, NoCapacity),
        ("Unsupported", 400, NoCapacity),
        ("VcpuLimitExceeded", 400, QuotaExceeded),
        ("IncorrectInstanceState", 400, WrongState),
        ("RequestLimitExceeded", 503, Throttled),
        ("InternalError", 500, Unavailable),
        ("UnauthorizedOperation", 403, AccessDenied),
        ("AuthFailure", 401, CredentialsMissing),
        ("InvalidParameterCombination", 400, Incompatible),
    ],
)
def test_a_refused_start_is_what_its_code_says_and_was_tried_once(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance, code: str, status: int, kind: type[ScalerError]
) -> None:
    proxy.fail("StartInstances", code, status=status)

    with pytest.raises(kind) as caught:
        provider.start(web.id)

    assert type(caught.value) is kind
    assert caught.value.code == code
    assert proxy.actions.count("StartInstances") == 1


def test_the_type_of_a_running_instance_is_refused_by_ec2(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("ModifyInstanceAttribute", "IncorrectInstanceState", "The instance is not in a valid state for this operation.")

    with pytest.raises(WrongState):
        provider.set_instance_type(web.id, "t3.large")


def test_an_unknown_type_is_refused_by_ec2(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("ModifyInstanceAttribute", "InvalidInstanceAttributeValue", "The instance type 'zz9.none' is not valid.")

    with pytest.raises(Incompatible, match=r"zz9\.none"):
        provider.set_instance_type(web.id, "zz9.none")


def test_a_connection_cut_before_the_effect_passes_and_changes_nothing(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance
) -> None:
    proxy.cut("StopInstances", after=False)

    with pytest.raises(Unavailable):
        provider.stop(web.id)

    assert provider.observe([web.id])[web.id].state is InstanceState.RUNNING


def test_a_connection_cut_after_the_effect_passes_and_the_call_can_be_made_again(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance
) -> None:
    proxy.cut("StopInstances", after=True)

    with pytest.raises(Unavailable):
        provider.stop(web.id)

    assert provider.observe([web.id])[web.id].state is InstanceState.STOPPED
    provider.stop(web.id)


@pytest.mark.parametrize(
    ("body", "status"),
    [("<html><h1>503 Service Temporarily Unavailable</h1></html>", 503), ("", 502), ("<DescribeInstancesResponse><reserv", 200)],
)
def test_an_answer_that_is_none_passes(provider: Ec2Provider, proxy: FaultProxy, web: Instance, body: str, status: int) -> None:
    proxy.answer("DescribeInstances", body, status=status)

    with pytest.raises(Unavailable):
        provider.observe([web.id])


def test_a_denied_tag_names_the_permission(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("CreateTags", "UnauthorizedOperation", status=403)

    with pytest.raises(AccessDenied, match="ec2:CreateTags"):
        provider.write_tag(web.id, TagKey.INTENT, "v1")


@pytest.mark.parametrize(
    ("system", "instance", "health"),
    [
        ("ok", "ok", Health.OK),
        ("ok", "impaired", Health.IMPAIRED),
        ("impaired", "initializing", Health.IMPAIRED),
        ("initializing", "initializing", Health.INITIALIZING),
        ("ok", "insufficient-data", Health.INITIALIZING),
        ("not-applicable", "not-applicable", Health.UNKNOWN),
    ],
)
def test_health_is_that_of_the_worse_of_the_two_checks(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance, system: str, instance: str, health: Health
) -> None:
    proxy.answer("DescribeInstanceStatus", STATUS.format(id=ec2_id(web), system=system, instance=instance))

    assert provider.observe([web.id])[web.id].health is health


def test_a_running_instance_without_a_status_yet_is_initializing(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.answer("DescribeInstanceStatus", "<DescribeInstanceStatusResponse><instanceStatusSet/></DescribeInstanceStatusResponse>")

    assert provider.observe([web.id])[web.id].health is Health.INITIALIZING


def test_a_stop_by_request_is_known_as_one(provider: Ec2Provider, web: Instance) -> None:
    provider.stop(web.id)

    stopped = provider.observe([web.id])[web.id]
    assert stopped.state_reason == "Client.UserInitiatedShutdown: User initiated shutdown"
    assert not failed_to_start(stopped)


def test_many_are_observed_in_one_call_and_its_status_call(provider: Ec2Provider, proxy: FaultProxy, launch: Launch) -> None:
    ids = [launch().id for _ in range(3)]
    proxy.clear()

    seen = provider.observe([*ids, InstanceId("ec2:us-east-1/i-0123456789abcdef0"), ids[0]])

    assert sorted(seen) == sorted(ids)
    assert proxy.actions == ["DescribeInstances", "DescribeInstanceStatus"]


def test_a_terminated_instance_is_observed_as_gone_and_not_found(provider: Ec2Provider, web: Instance, ec2: Emulator) -> None:
    ec2.terminate_instances(InstanceIds=[ec2_id(web)])

    assert provider.observe([web.id])[web.id].state is InstanceState.GONE
    with pytest.raises(NotFound):
        provider.find(Reference.parse(web.id))


def test_the_console_is_the_live_one(provider: Ec2Provider, web: Instance) -> None:
    log = provider.console_log(web.id)

    assert log is not None
    assert log.is_live
    assert log.text.startswith("Linux version")


def test_the_console_of_an_older_type_is_the_copy_of_its_last_start(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance
) -> None:
    proxy.fail(
        "GetConsoleOutput", "UnsupportedOperation", "This instance type does not support retrieving the latest console logs."
    )

    log = provider.console_log(web.id)

    assert log is not None
    assert not log.is_live
    assert proxy.actions.count("GetConsoleOutput") == 2


def test_a_denied_console_is_not_taken_for_an_older_type(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("GetConsoleOutput", "UnauthorizedOperation", status=403)

    with pytest.raises(AccessDenied, match="ec2:GetConsoleOutput"):
        provider.console_log(web.id)


def test_a_console_that_has_printed_nothing_is_none(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    empty = f"<GetConsoleOutputResponse><instanceId>{ec2_id(web)}</instanceId></GetConsoleOutputResponse>"
    proxy.answer("GetConsoleOutput", empty)

    assert provider.console_log(web.id) is None
