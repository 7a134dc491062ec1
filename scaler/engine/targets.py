"""From what the user named to instances and what the policy says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from scaler.domain.errors import AccessDenied, CredentialsMissing, Refused, UsageError
from scaler.domain.instance import Instance, InstanceId, Reference, Selector
from scaler.domain.policy import Approval, OnOom, Policy, Target
from scaler.engine.calls import call
from scaler.ports import Clock, Provider

ProviderSource = Callable[[str], Provider]
"""The adapter of that name; `UsageError` where there is none."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One instance, its provider, and the target it is worked on for."""

    provider: Provider
    instance: Instance
    target: Target
    usd_per_hour: Mapping[str, Decimal]


def unnamed(policy: Policy | None, reference: Reference) -> Target:
    """The target of an instance that no target names: a policy file's common keys hold for it; where there is no file, naming it on
    the command line is the consent."""
    if policy is not None:
        return replace(policy.defaults, name=str(reference), instances=(reference,))
    return Target(name=str(reference), instances=(reference,), on_oom=OnOom(approval=Approval.AUTO))


def choose_target(policy: Policy | None, name: str | None) -> Target:
    """The target meant by a policy name or a reference, or the only one of the policy where nothing is named.

    What a reference means is settled by `find`, which knows the instance: one can be named in several ways.

    Raises:
        UsageError: nothing is named and the policy does not decide it, or the name is unknown; the names it has are listed.
    """
    if name is not None and ":" in name:
        reference = Reference.parse(name)
        return _target_of(policy, reference) or unnamed(policy, reference)
    targets = policy.targets if policy else {}
    if name is None:
        if len(targets) == 1:
            return next(iter(targets.values()))
        what = "the policy file has several targets" if targets else "there is no policy file"
        raise UsageError(f"No instance is named, and {what}.", hint=_names_hint(targets))
    if name not in targets:
        where = f"{policy.path} has no target" if policy else "There is no policy file, so nothing is known as"
        raise UsageError(f"{where} {name!r}.", hint=_names_hint(targets))
    return targets[name]


def _names_hint(targets: Mapping[str, Target]) -> str:
    if targets:
        return f"Name one of: {', '.join(targets)}; or an instance like ec2:i-0abc…"
    return "Name an instance like ec2:i-0abc… or local:NAME, or write a policy file with `scale policy init`."


def _target_of(policy: Policy | None, reference: Reference) -> Target | None:
    """The policy's target that names the instance in these words, or with the region left out."""
    for target in policy.targets.values() if policy else ():
        for known in target.instances:
            if isinstance(known, Reference) and _is_same(known, reference):
                return target
    return None


def _is_same(one: Reference, other: Reference) -> bool:
    """`ec2:i-0abc` and `ec2:eu-west-1/i-0abc` name one instance: ids are unique over regions."""
    shorter, longer = sorted((one.name, other.name), key=len)
    return one.provider == other.provider and (shorter == longer or longer.endswith("/" + shorter))


def find(
    providers: ProviderSource, clock: Clock, target: Target, policy: Policy | None, only: Reference | None = None
) -> Sequence[Scope]:
    """The instances of a target, as they are now; `only` narrows it to the one the user named.

    Raises:
        NotFound, AccessDenied, CredentialsMissing, Unavailable: as the provider says.
    """
    prices = policy.usd_per_hour if policy else {}
    scopes = []
    wanted: Sequence[Reference | Selector] = [only] if only else target.instances
    for what in wanted:
        provider = providers(what.provider)
        found = call(lambda: provider.find(what), clock)  # noqa: B023 - called at once
        scopes += [Scope(provider, instance, target, prices) for instance in found]
    if only is not None and policy is not None and not any(only in named.instances for named in policy.targets.values()):
        scopes = [replace(scope, target=_governing(scope, policy, only, clock)) for scope in scopes]
    unique = {scope.instance.id: scope for scope in scopes}
    return [unique[key] for key in sorted(unique)]


def _governing(scope: Scope, policy: Policy, named: Reference, clock: Clock) -> Target:
    """The target of the policy that this instance belongs to, by whatever name or selector: its limits hold however it was named."""
    for target in policy.targets.values():
        for what in target.instances:
            if what.provider == named.provider and scope.instance.id in _ids(scope.provider, what, clock):
                return target
    return unnamed(policy, named)


def _ids(provider: Provider, what: Reference | Selector, clock: Clock) -> set[InstanceId]:
    """What a policy's entry names now; nothing where it names nothing, or several by one name."""
    try:
        return {instance.id for instance in call(lambda: provider.find(what), clock)}
    except (AccessDenied, CredentialsMissing):
        raise
    except Refused:
        return set()
