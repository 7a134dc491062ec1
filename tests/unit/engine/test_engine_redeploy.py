"""A guarded deploy, from its first attempt to the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from scaler.domain.errors import AccessDenied, CredentialsMissing, NeedsAttention, ScalerError, Unavailable, UsageError
from scaler.domain.evidence import Counters, Evidence, OutputLine
from scaler.domain.instance import InstanceId, InstanceState, Reference, TagKey
from scaler.domain.outcome import OperationResult, Outcome
from scaler.domain.peaks import decode
from scaler.domain.plan import Plan
from scaler.domain.policy import Approval, Limits, OnOom, Remedy, Target
from scaler.domain.rules import Cause
from scaler.domain.units import GIB, MIB
from scaler.engine.redeploy import RETRY_PAUSE_SECONDS, Attempt, Ending, Redeploy, Report, Session
from scaler.engine.targets import Scope, find
from scaler.testing import FakeProvider
from tests.unit.engine.world import World, broken_store

NO_LIMITS = Limits()
AUTO = OnOom(approval=Approval.AUTO)
CONSOLE = "[  100.000000] Out of memory: Killed process 4242 (node) total-vm:4000000kB, anon-rss:1800000kB, file-rss:0kB"


@dataclass
class Teller:
    """Remembers what it was told."""

    plans: list[Plan] = field(default_factory=list)
    results: list[OperationResult] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def failed(self, ending: Ending) -> None:
        self.endings.append(ending)

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def operated(self, result: OperationResult) -> None:
        self.results.append(result)

    def retrying(self, number: int, environment: Mapping[str, str]) -> None:
        self.retries.append(number)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Guarded:
    """One deploy in a world, and what it runs into: `needs` is the memory at which it passes."""

    world: World
    target: Target | None
    needs: int = 4 * GIB
    approves: bool = True
    is_local: bool = False
    is_dry_run: bool = False
    error: ScalerError | None = None
    """Raised instead of naming the instances."""
    failure: Evidence | None = None
    """How it fails; None: for want of memory, as the kernel's counter says."""
    environments: list[Mapping[str, str]] = field(default_factory=list)
    asked: int = 0
    """How often the instances were asked for."""
    approved: list[Plan] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    interrupted_at: datetime | None = None
    """From then on someone has asked scale to end."""
    tell: Teller = field(default_factory=Teller)

    def guard(self) -> Report:
        return Redeploy(self.session()).guard(self.run)

    def session(self) -> Session:
        return Session(
            clock=self.world.clock,
            store=self.world.store,
            target=self.target,
            scopes=self.scopes,
            is_local=self.is_local,
            driver=lambda _: self.world.driver(),
            approve=self.approve,
            is_interrupted=lambda: self.world.clock.now() >= self.interrupted_at if self.interrupted_at else False,
            tell=self.tell,
            command="make deploy",
            is_dry_run=self.is_dry_run,
        )

    def scopes(self) -> Sequence[Scope]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        assert self.target is not None
        return find(lambda _: self.world.cloud, self.world.clock, self.target, None)

    def approve(self, plan: Plan, approval: Approval) -> bool:
        self.approvals.append(approval)
        self.approved.append(plan)
        return self.approves

    def run(self, environment: Mapping[str, str]) -> Attempt:
        self.environments.append(environment)
        began_at = self.world.clock.now()
        self.world.clock.sleep(90)
        memory = MEMORY[self.world.web.type_name]
        if memory >= self.needs:
            return Attempt(Evidence(0, instance_memory_bytes=memory), 0, 90.0, began_at, peak_bytes=3 * GIB)
        evidence = self.failure or Evidence(137, counters=Counters(1, memory))
        evidence = replace(evidence, began_at=began_at)
        return Attempt(evidence, evidence.exit_code or 0, 90.0, began_at)


MEMORY = {
    "b1.small": 2 * GIB,
    "b1.medium": 4 * GIB,
    "b1.large": 8 * GIB,
    "g1.large": 8 * GIB,
    "b1.xlarge": 16 * GIB,
    "g1.2xlarge": 32 * GIB,
}


def _target(on_oom: OnOom = AUTO, *instances: str, limits: Limits = NO_LIMITS) -> Target:
    return Target("web", tuple(Reference("fake", name) for name in instances or ("web-1",)), on_oom=on_oom, limits=limits)


def _guarded(world: World, on_oom: OnOom = AUTO, **more: object) -> Guarded:
    return Guarded(world, _target(on_oom), **more)  # type: ignore[arg-type]


def _peaks(world: World) -> list[tuple[int, int | None, bool]]:
    return [(peak.limit_bytes, peak.peak_bytes, peak.was_oom) for peak in decode(world.web.records.get(TagKey.PEAKS, ""))]


def test_a_deploy_that_succeeds_at_once_costs_no_call_to_a_cloud_and_leaves_one_record(world: World) -> None:
    guarded = _guarded(world, needs=1 * GIB)

    report = guarded.guard()

    assert (guarded.asked, world.cloud.calls) == (0, [])
    assert guarded.environments == [{"SCALE_ATTEMPT": "1"}]
    assert (report.outcome, report.is_ready, report.error) == (Outcome.UNCHANGED, False, None)
    assert [ending.diagnosis for ending in report.endings] == [None]
    record = world.store.kept_deploys[0]
    assert len(world.store.kept_deploys) == 1
    assert (record.exit_code, record.cause, record.command, record.target) == (0, None, "make deploy", "web")
    assert (record.instance, record.peak_bytes) == (None, 3 * GIB)


def test_where_the_instance_is_this_machine_a_success_leaves_its_peak_there(world: World) -> None:
    guarded = _guarded(world, needs=1 * GIB, is_local=True)

    guarded.guard()

    assert guarded.asked == 1
    assert _peaks(world) == [(2 * GIB, 3 * GIB, False)]
    assert world.store.kept_deploys[0].instance == "fake:web-1"


def test_a_deploy_that_dies_for_want_of_memory_runs_again_on_a_larger_instance(world: World) -> None:
    guarded = _guarded(world)

    report = guarded.guard()

    assert guarded.environments == [
        {"SCALE_ATTEMPT": "1"},
        {"SCALE_ATTEMPT": "2", "SCALE_MEMORY_BYTES": str(4 * GIB), "SCALE_INSTANCE_TYPE": "b1.medium"},
    ]
    assert (report.outcome, report.is_ready) == (Outcome.DONE, False)
    assert [ending.diagnosis and ending.diagnosis.cause for ending in report.endings] == [Cause.INSTANCE_MEMORY, None]
    assert (world.web.state, world.web.type_name, world.intent) == (InstanceState.RUNNING, "b1.medium", None)
    assert (guarded.tell.retries, len(guarded.tell.plans), guarded.tell.results) == ([2], 1, [report.operation])


def test_both_attempts_and_the_operation_are_kept_and_the_instance_carries_the_peaks(world: World) -> None:
    report = _guarded(world).guard()

    assert [(one.exit_code, one.cause, one.type_name) for one in world.store.kept_deploys] == [
        (0, None, "b1.medium"),
        (137, Cause.INSTANCE_MEMORY, "b1.small"),
    ]
    assert world.store.kept_operations == [report.operation]
    assert _peaks(world) == [(4 * GIB, 3 * GIB, False), (2 * GIB, None, True)]


def test_a_second_failure_grows_again_while_retries_are_left(world: World) -> None:
    guarded = _guarded(world, replace(AUTO, retries=2), needs=8 * GIB)

    report = guarded.guard()

    assert [one.get("SCALE_INSTANCE_TYPE") for one in guarded.environments] == [None, "b1.medium", "b1.large"]
    assert [one["SCALE_ATTEMPT"] for one in guarded.environments] == ["1", "2", "3"]
    assert (report.endings[-1].attempt.exit_code, world.web.type_name) == (0, "b1.large")


@pytest.mark.parametrize(("max_growth", "attempts", "last"), [(3, 2, "b1.medium"), (5, 3, "b1.large")])
def test_growth_over_several_attempts_is_refused_loudly_where_it_passes_the_limit(
    world: World, max_growth: int, attempts: int, last: str
) -> None:
    target = _target(replace(AUTO, retries=5), limits=Limits(max_growth=Decimal(max_growth)))
    guarded = Guarded(world, target, needs=32 * GIB)

    report = guarded.guard()

    assert len(guarded.environments) == attempts
    assert report.outcome is Outcome.DONE, "what became of the instance: the first operation grew it"
    assert report.plan is not None
    assert "max_growth" in [refusal.code for refusal in report.plan.refused]
    assert (world.web.type_name, world.web.state) == (last, InstanceState.RUNNING)


def test_without_retries_left_the_next_plan_is_shown_and_nothing_more_is_done(world: World) -> None:
    guarded = _guarded(world, needs=8 * GIB)

    report = guarded.guard()

    assert len(guarded.environments) == 2
    assert [plan.chosen.type.name for plan in guarded.tell.plans if plan.chosen] == ["b1.medium", "b1.large"]
    assert (world.web.type_name, report.is_ready) == ("b1.medium", False)


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Evidence(1), Cause.OTHER),
        (Evidence(1, output=(OutputLine(1, "ENOSPC: no space left on device"),)), Cause.DISK_FULL),
        (Evidence(134, output=(OutputLine(1, "FATAL ERROR: Reached heap limit Allocation failed"),)), Cause.HEAP_LIMIT),
        (Evidence(143), Cause.INTERRUPTED),
        (Evidence(137), Cause.INCONCLUSIVE),
    ],
)
def test_a_failure_of_another_kind_is_diagnosed_and_not_run_again(world: World, failure: Evidence, cause: Cause) -> None:
    guarded = _guarded(world, failure=failure)

    report = guarded.guard()

    assert report.endings[0].diagnosis is not None
    assert report.endings[0].diagnosis.cause is cause
    assert (len(guarded.environments), guarded.tell.plans, world.changes) == (1, [], [])
    assert TagKey.PEAKS not in world.web.records


@pytest.mark.parametrize(
    ("approval", "approves", "asked"), [(Approval.NEVER, True, 0), (Approval.ASK, False, 1), (Approval.AUTO, False, 1)]
)
def test_a_plan_that_is_not_approved_is_shown_and_changes_nothing(
    world: World, approval: Approval, approves: bool, asked: int
) -> None:
    guarded = _guarded(world, OnOom(approval=approval), approves=approves)

    report = guarded.guard()

    assert (len(guarded.approved), len(guarded.tell.plans), len(guarded.environments)) == (asked, 1, 1)
    assert (report.operation, report.is_ready, report.outcome) == (None, False, Outcome.UNCHANGED)
    assert world.is_as_before()


@pytest.mark.parametrize("remedies", [(Remedy.RESIZE,), (Remedy.RETRY, Remedy.RESIZE)])
def test_a_dry_run_shows_the_plan_and_changes_nothing(world: World, remedies: tuple[Remedy, ...]) -> None:
    guarded = _guarded(world, replace(AUTO, remedies=remedies), is_dry_run=True)

    report = guarded.guard()

    assert report.plan is not None
    assert report.plan.remedy is Remedy.RESIZE
    assert (guarded.approved, len(guarded.environments), world.changes, dict(world.web.records)) == ([], 1, [], {})


def test_retry_comes_first_where_the_policy_says_so_then_the_instance_grows(world: World) -> None:
    guarded = _guarded(world, replace(AUTO, remedies=(Remedy.RETRY, Remedy.RESIZE), retries=2))

    report = guarded.guard()

    assert guarded.environments[1] == {"SCALE_ATTEMPT": "2", "SCALE_INSTANCE_TYPE": "b1.small"}
    assert guarded.environments[2]["SCALE_INSTANCE_TYPE"] == "b1.medium"
    assert sum(seconds for seconds in world.clock.slept if seconds == 1.0) >= RETRY_PAUSE_SECONDS
    assert "run it again as it is" in guarded.tell.notes[0]
    assert report.endings[-1].attempt.exit_code == 0


def test_a_person_who_ends_scale_in_the_pause_ends_it_all(world: World) -> None:
    guarded = _guarded(world, replace(AUTO, remedies=(Remedy.RETRY, Remedy.RESIZE), retries=2))
    guarded.interrupted_at = world.clock.now() + timedelta(seconds=93)  # an attempt takes 90 s, then the pause begins

    report = guarded.guard()

    assert (len(guarded.environments), world.changes, report.is_ready) == (1, [], False)
    assert any("interrupted" in note for note in guarded.tell.notes)


def test_a_person_who_ends_scale_before_the_plan_is_made_ends_it_unchanged(world: World) -> None:
    guarded = _guarded(world)
    guarded.interrupted_at = world.clock.now() + timedelta(seconds=90)

    report = guarded.guard()

    assert (len(guarded.environments), world.changes, report.outcome) == (1, [], Outcome.UNCHANGED)


def test_a_person_who_ends_scale_while_the_instance_grows_does_not_see_the_deploy_run_again(world: World) -> None:
    guarded = _guarded(world)
    guarded.interrupted_at = world.clock.now() + timedelta(seconds=91)

    report = guarded.guard()

    assert len(guarded.environments) == 1
    assert not report.is_ready or report.endings[-1].attempt.exit_code == 137


def test_the_approval_that_counts_is_that_of_the_target_the_instance_belongs_to(world: World) -> None:
    guarded = _guarded(world, replace(AUTO, approval=Approval.ASK))

    guarded.guard()

    assert guarded.approvals == [Approval.ASK]


def test_a_retry_beyond_the_number_allowed_is_not_made(world: World) -> None:
    guarded = _guarded(world, replace(AUTO, remedies=(Remedy.RETRY,), retries=0))

    guarded.guard()

    assert (len(guarded.environments), world.changes) == (1, [])


def test_a_plan_that_is_refused_ends_it_with_the_instance_as_it_was(world: World) -> None:
    guarded = Guarded(world, _target(limits=Limits(max_memory_bytes=3 * GIB)))

    report = guarded.guard()

    assert (report.outcome, report.operation, guarded.approved) == (Outcome.REFUSED, None, [])
    assert world.changes == []


def test_of_several_instances_the_console_names_the_one_that_ran_out_of_memory(world: World) -> None:
    other = world.cloud.add("web-2")
    guarded = Guarded(world, _target(AUTO, "web-1", "web-2"), failure=Evidence(137))
    world.cloud.set_console(InstanceId("fake:web-1"), CONSOLE)
    world.clock.sleep(30)

    report = guarded.guard()

    assert report.endings[0].diagnosis is not None
    assert report.endings[0].diagnosis.killed[0].name == "node"
    assert world.web.type_name == "b1.medium"
    assert world.cloud.machine(other.id).type_name == "b1.small"
    assert report.endings[-1].attempt.exit_code == 0


def test_where_nothing_shows_which_of_several_it_was_nothing_is_changed(world: World) -> None:
    world.cloud.add("web-2")
    guarded = Guarded(world, _target(AUTO, "web-1", "web-2"))

    report = guarded.guard()

    assert isinstance(report.error, UsageError)
    assert "several instances" in str(report.error)
    assert "--instance REF" in report.error.hint
    assert (report.outcome, world.changes, len(guarded.environments)) == (Outcome.REFUSED, [], 1)


@pytest.mark.parametrize("error", [CredentialsMissing("no region"), Unavailable("503"), AccessDenied("ec2:DescribeInstances")])
def test_a_cloud_that_cannot_be_reached_still_leaves_the_diagnosis(world: World, error: ScalerError) -> None:
    guarded = _guarded(world, error=error)

    report = guarded.guard()

    assert report.error is error
    assert report.endings[0].diagnosis is not None
    assert report.endings[0].diagnosis.cause is Cause.INSTANCE_MEMORY
    assert (report.is_ready, len(guarded.environments)) == (False, 1)
    assert world.store.kept_deploys[0].cause is Cause.INSTANCE_MEMORY


def test_an_error_that_leaves_the_instance_down_is_told_as_such(world: World) -> None:
    assert _guarded(world, error=NeedsAttention("it is stopped")).guard().outcome is Outcome.NEEDS_ATTENTION


def test_a_remedy_that_fails_leaves_the_deploys_own_end_as_the_result(world: World) -> None:
    world.cloud.fail("write_tag", AccessDenied("ec2:CreateTags is not allowed"), times=10**6)
    guarded = _guarded(world)

    report = guarded.guard()

    assert isinstance(report.error, AccessDenied)
    assert (report.outcome, len(guarded.environments), world.changes) == (Outcome.REFUSED, 1, [])
    assert report.endings[0].attempt.exit_code == 137


def test_an_operation_that_is_rolled_back_is_no_reason_to_run_the_deploy_again(world: World) -> None:
    world.cloud.no_capacity = {"b1.medium", "b1.large", "g1.large", "b1.xlarge"}
    guarded = _guarded(world)

    report = guarded.guard()

    assert (report.outcome, report.is_ready, len(guarded.environments)) == (Outcome.ROLLED_BACK, False, 1)
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "b1.small")


def test_an_attempt_that_someone_ended_is_not_run_again(world: World) -> None:
    guarded = _guarded(world)

    def interrupted(environment: Mapping[str, str]) -> Attempt:
        return replace(guarded.run(environment), is_interrupted=True)

    report = Redeploy(guarded.session()).guard(interrupted)

    assert (len(guarded.environments), guarded.asked, world.changes) == (1, 0, [])
    assert (report.is_ready, report.error) == (False, None)


def test_a_deploy_without_a_known_instance_is_only_diagnosed(world: World) -> None:
    guarded = Guarded(world, None)

    report = guarded.guard()

    assert report.endings[0].diagnosis is not None
    assert report.endings[0].diagnosis.cause is Cause.INSTANCE_MEMORY
    assert (report.outcome, guarded.asked, len(guarded.environments), world.changes) == (Outcome.UNCHANGED, 0, 1, [])


def test_a_history_that_fails_does_not_hurt_and_is_said(world: World) -> None:
    world.store = broken_store()
    guarded = _guarded(world)

    report = guarded.guard()

    assert (report.outcome, report.endings[-1].attempt.exit_code, world.web.type_name) == (Outcome.DONE, 0, "b1.medium")
    assert "the history cannot be written: the disk is full" in guarded.tell.notes


def test_a_peak_that_cannot_be_kept_on_the_instance_is_said_and_hurts_nothing(world: World) -> None:
    guarded = _guarded(world)

    def stop_tagging() -> None:
        if world.web.type_name == "b1.medium" and world.intent is None:
            raise AccessDenied("ec2:CreateTags is not allowed")

    world.cloud.before = lambda call: stop_tagging() if call.method == "write_tag" else None

    report = guarded.guard()

    assert report.endings[-1].attempt.exit_code == 0
    assert "ec2:CreateTags is not allowed" in guarded.tell.notes


def test_instances_that_cannot_be_found_after_a_success_cost_only_the_peak(world: World) -> None:
    guarded = _guarded(world, needs=1 * GIB, is_local=True, error=Unavailable("503"))

    report = guarded.guard()

    assert (report.error, report.endings[0].attempt.exit_code) == (None, 0)
    assert guarded.tell.notes == ["the deploy's peak could not be kept on the instance: 503"]


def test_an_instance_that_is_gone_after_the_success_gets_no_peak(world: World) -> None:
    guarded = _guarded(world, needs=1 * GIB, is_local=True)
    scopes = guarded.scopes()
    world.cloud.remove(InstanceId("fake:web-1"))
    session = replace(guarded.session(), scopes=lambda: scopes)
    attempt = Attempt(Evidence(0, instance_memory_bytes=2 * GIB), 0, 1.0, datetime(2026, 1, 5, tzinfo=UTC), 900 * MIB)

    report = Redeploy(session).follow_up(attempt, None)

    assert (report.endings[0].attempt.exit_code, guarded.tell.notes) == (0, [])


def test_following_up_without_a_deploy_to_run_ends_when_the_instance_is_ready(world: World) -> None:
    guarded = _guarded(world)
    began_at = world.clock.now() - timedelta(hours=1)
    attempt = Attempt(Evidence(137, counters=Counters(1), began_at=began_at), 137, 0.0, began_at)

    report = Redeploy(guarded.session()).follow_up(attempt, None)

    assert (report.is_ready, report.outcome, guarded.environments) == (True, Outcome.DONE, [])
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "b1.medium")


def test_a_console_that_cannot_be_read_is_no_evidence_and_no_error(world: World) -> None:
    world.cloud.fail("console_log", AccessDenied("ec2:GetConsoleOutput is not allowed"), times=99)
    guarded = _guarded(world)

    report = guarded.guard()

    assert report.endings[-1].attempt.exit_code == 0
    assert report.error is None


class WithoutConsole(FakeProvider):
    """A cloud that keeps nothing of what its machines print."""

    capabilities = replace(FakeProvider.capabilities, has_console_log=False)


def test_a_provider_without_a_console_is_not_asked_for_it() -> None:
    world = World()
    world.cloud = WithoutConsole(world.clock)
    world.cloud.add("web-1")
    guarded = _guarded(world)

    guarded.guard()

    assert "console_log" not in [call.method for call in world.cloud.calls]
