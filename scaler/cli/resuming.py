"""The work of `scale resume`: each instance by itself, so that one that cannot be resumed does not hold up the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scaler.cli import wiring
from scaler.cli.main import print_error
from scaler.cli.talk import answer, say
from scaler.domain.errors import CredentialsMissing, ScalerError, UsageError
from scaler.domain.instance import Instance, Reference, TagKey
from scaler.domain.operation import Decision
from scaler.domain.outcome import OperationResult, Outcome
from scaler.engine.calls import call
from scaler.engine.resume import resume as resume_one
from scaler.engine.targets import Scope
from scaler.host.clock import SystemClock
from scaler.render import json, text


def resume(names: Sequence[str], policy_path: str | None, output_format: str) -> int:
    """Resume what is named, or everything that carries an intent where nothing is; the worst exit code."""
    work = _Work(policy_path)
    with wiring.noting_interrupts() as interrupts:
        for name in names or work.all_with_intent():
            work.resume(name, interrupts)
    if not names and not work.results and not work.worst:
        say("scale: no instance carries an intent: nothing was left unfinished")
    if output_format == "json":
        answer(json.dump(json.operations(work.results, is_list=not names or work.is_list)))
    elif done := [line for one in work.results if one.steps for line in text.operation(one)]:
        answer("\n".join(done))
    return work.worst


@dataclass(slots=True)
class _Work:
    policy_path: str | None
    worst: int = 0
    """The worst exit code so far."""
    results: list[OperationResult] = field(default_factory=list)
    is_list: bool = False
    """More than one instance was meant."""

    def resume(self, name: str, interrupts: wiring.Interrupts) -> None:
        """Resume what one name means; what goes wrong with it is said, and the next one has its turn."""
        try:
            context = wiring.context(self.policy_path, name)
            scopes = context.scopes()
        except ScalerError as error:
            self._note(error)
            return
        self.is_list = self.is_list or len(scopes) > 1 or bool(self.results)
        for scope in scopes:
            try:
                self._one(context, scope, interrupts)
            except ScalerError as error:
                self._note(error)

    def _one(self, context: wiring.Context, scope: Scope, interrupts: wiring.Interrupts) -> None:
        if TagKey.INTENT in scope.instance.records and (why := _why_unchecked(context, scope)):
            say(f"scale: {why}: no health checks are run (--policy FILE names another)")
        result = resume_one(scope, wiring.driver(scope.provider, context.clock, _say, interrupts), context.store)
        if result is None:
            instance = scope.instance
            say(f"scale: {instance.name} carries no intent; it is {instance.state}, {instance.type_name}")
            now, kind = context.clock.now(), instance.type_name
            result = OperationResult(instance.id, Outcome.UNCHANGED, kind, kind, now, now, 0.0, (), "it carries no intent")
        self.results.append(result)
        self.worst = max(self.worst, result.exit_code)

    def all_with_intent(self) -> Sequence[str]:
        """Every instance with an intent within reach. A provider nobody has set up here has none; one that fails is an error."""
        providers, clock = wiring.Providers(), SystemClock()
        found: list[Instance] = []
        for name in wiring.provider_names():
            try:
                provider = providers(name)
            except UsageError as error:  # its SDK is not installed
                say(f"scale: {name} was not searched: {error}")
                continue
            try:
                found += call(provider.find_with_intent, clock)
            except ScalerError as error:
                if _is_not_set_up(error):
                    say(f"scale: {name} was not searched: {error}")
                else:
                    say(f"scale: {name} could not be searched:")
                    self._note(error)
        return [str(Reference.parse(instance.id)) for instance in found]

    def _note(self, error: ScalerError) -> None:
        print_error(error)
        self.worst = max(self.worst, error.exit_code)


def _why_unchecked(context: wiring.Context, scope: Scope) -> str:
    """Why health checks may be missing; empty where they are not, or where the policy's target has none."""
    policy = context.policy
    if policy is None:
        return "no policy file"
    if scope.target.health or scope.target.name in policy.targets:
        return ""
    return f"{policy.path} does not name {scope.instance.name}"


def _is_not_set_up(error: ScalerError) -> bool:
    """Credentials or a region are not configured at all; where configured ones do not work, the vendor's error is the cause."""
    return isinstance(error, CredentialsMissing) and error.__cause__ is None


def _say(instance: Instance, decision: Decision) -> None:
    say(f"scale: {text.step(instance, decision)}")
