"""From the file's sections to the domain's policy, with the common keys laid under each target's own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from scaler.domain.instance import Reference, Selector
from scaler.domain.policy import (
    CommandProbe,
    HttpProbe,
    Limits,
    OnOom,
    Policy,
    Probe,
    SshProbe,
    Target,
    TcpProbe,
    Weekday,
    Window,
)
from scaler.policyfile.models import (
    CommandSection,
    CommonSection,
    HttpSection,
    LimitsSection,
    OnOomSection,
    PolicyFile,
    ProbeSection,
    Section,
    SelectorSection,
    SshSection,
    TargetSection,
    TcpSection,
    TypesSection,
    WindowSection,
)

PROBE_TIMEOUT = timedelta(minutes=2)
"""sshd and a web server are up within a minute of a start; the second one is for a slow boot."""

_S = TypeVar("_S", bound=Section)


def build_policy(path: str, file: PolicyFile) -> Policy:
    """The policy a valid file stands for."""
    return Policy(
        path=path,
        targets={name: _target(name, file, target) for name, target in (file.targets or {}).items()},
        defaults=_target("", file, TargetSection.model_construct()),
        usd_per_hour=dict(file.prices or {}),
    )


def _target(name: str, common: CommonSection, own: TargetSection) -> Target:
    instances = own.instances if own.instances is not None else [own.instance]
    return Target(
        name=name,
        instances=tuple(_instance(it) for it in instances if it is not None),
        on_oom=_on_oom(_overlay(common.on_oom, own.on_oom)),
        limits=_limits(_overlay(common.limits, own.limits)),
        health=_health(own.health if own.health is not None else common.health or ()),
        **_given(
            deploy=own.deploy,
            headroom=common.headroom if own.headroom is None else own.headroom,
            deadline=common.deadline if own.deadline is None else own.deadline,
            rehearse=own.rehearse,
        ),
    )


def _overlay(below: _S | None, above: _S | None) -> _S | None:
    if below is None or above is None:
        return above or below
    own = {key: getattr(above, key) for key in above.model_fields_set}
    for key, value in own.items():
        if isinstance(value, Section):
            own[key] = _overlay(getattr(below, key), value)
    return below.model_copy(update=own)


def _given(**values: object) -> dict[str, Any]:
    """Without what the file does not say, so that the domain's defaults apply."""
    return {key: value for key, value in values.items() if value is not None}


def _instance(section: Reference | SelectorSection) -> Reference | Selector:
    if isinstance(section, Reference):
        return section
    return Selector(section.provider, section.region or section.zone, dict(section.tags))


def _on_oom(section: OnOomSection | None) -> OnOom:
    if section is None:
        return OnOom()
    remedies = tuple(section.remedies) if section.remedies else None
    return OnOom(**_given(remedies=remedies, approval=section.approval, retries=section.retries))


def _limits(section: LimitsSection | None) -> Limits:
    if section is None:
        return Limits()
    types = section.types or TypesSection()
    return Limits(
        max_memory_bytes=section.max_memory,
        max_usd_per_month=section.max_price,
        max_growth=section.max_growth,
        types_allow=tuple(types.allow or ()),
        types_deny=tuple(types.deny or ()),
        architectures=tuple(section.architectures or ()),
        windows=tuple(_window(it) for it in section.windows or ()),
    )


def _window(section: WindowSection) -> Window:
    return Window(frozenset(section.days or Weekday), section.start, section.end, section.zone)


def _health(sections: Sequence[ProbeSection]) -> tuple[Probe, ...]:
    return tuple(_probe(it) for it in sections)


def _probe(section: ProbeSection) -> Probe:
    timeout = section.timeout or PROBE_TIMEOUT
    match section:
        case TcpSection(tcp=host):
            assert host.port is not None  # noqa: S101 - the pattern demands one
            return TcpProbe(host.name, host.port, timeout)
        case HttpSection(http=url):
            return HttpProbe(url, tuple(section.expect or ()), timeout)
        case SshSection(ssh=host):
            return SshProbe(host.name, host.user, host.port, timeout)
        case CommandSection(command=argv):
            return CommandProbe(argv, timeout)
