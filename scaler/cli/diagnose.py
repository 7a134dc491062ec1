"""`scale diagnose`."""

from datetime import timedelta

import click

from scaler.cli import options


@click.command("diagnose")
@click.option("--exit-code", type=click.IntRange(0, 255), metavar="N", help="What the deploy ended with.")
@click.option("--log", "log_path", metavar="FILE|-", help="What the deploy printed; - is standard input.")
@click.option(
    "--since", callback=options.to_duration, metavar="DURATION", help="How long ago it began: kills before that are not its own."
)
@click.option("--kernel-log", "kernel_path", metavar="FILE", help="The kernel log of the instance (dmesg, journalctl -k).")
@options.instance
@options.policy
@options.output_format
def command(
    exit_code: int | None,
    log_path: str | None,
    since: timedelta | None,
    kernel_path: str | None,
    instance_ref: str | None,
    policy_path: str | None,
    output_format: str,
) -> None:
    """Say why a deploy died: the cause, how sure that is, the lines it rests on, and what helps."""
    if exit_code is None and not (log_path or kernel_path or instance_ref):
        raise click.UsageError("Give at least one of --exit-code, --log, --kernel-log, --instance.")
    from scaler.cli.logfile import read_log, read_text
    from scaler.cli.talk import answer
    from scaler.domain.evidence import Evidence, KernelLog
    from scaler.engine.diagnose import diagnose_on
    from scaler.host.clock import SystemClock
    from scaler.render import json, text

    lines = read_log(log_path) if log_path else ()
    kernel_logs = (KernelLog(read_text(kernel_path), "kernel"),) if kernel_path else ()
    clock = SystemClock()
    began_at = clock.now() - since if since else None
    scope = None
    if instance_ref:
        from scaler.cli import wiring

        scope = wiring.context(policy_path, instance_ref).one()
    evidence = Evidence(exit_code, lines, kernel_logs, began_at=began_at)
    result = diagnose_on(evidence, scope, clock)
    answer(json.dump(json.diagnosis(result)) if output_format == "json" else "\n".join(text.diagnosis(result)))
