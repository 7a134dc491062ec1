"""Add what the instance itself shows to what was seen of a failed attempt, and say why it died."""

from collections.abc import Sequence
from dataclasses import replace

from scaler.domain.diagnosis import Diagnosis, diagnose
from scaler.domain.errors import ScalerError
from scaler.domain.evidence import Evidence, KernelLog
from scaler.engine.calls import call
from scaler.engine.targets import Scope
from scaler.ports import Clock


def diagnose_on(evidence: Evidence, scope: Scope | None, clock: Clock) -> Diagnosis:
    """Diagnose with the console of the instance as a further source, where there is one and the attempt failed."""
    if scope is None or evidence.exit_code == 0:
        return diagnose(evidence)
    return diagnose(replace(evidence, kernel_logs=(*evidence.kernel_logs, *_console(scope, clock))))


def _console(scope: Scope, clock: Clock) -> Sequence[KernelLog]:
    """What the instance printed on its console, dated by its last start. A console that cannot be read is no evidence."""
    if not scope.provider.capabilities.has_console_log:
        return ()
    try:
        log = call(lambda: scope.provider.console_log(scope.instance.id), clock)
    except ScalerError:
        return ()
    return () if log is None else (KernelLog(log.text, "console", scope.instance.launched_at),)
