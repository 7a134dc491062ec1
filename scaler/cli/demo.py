"""`scale demo`."""

import click


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the emulated cloud running afterwards, to play with; Ctrl-C ends it.")
@click.pass_context
def command(ctx: click.Context, keep: bool) -> None:
    """Watch the whole job on this machine: a deploy runs out of memory, its instance grows, the deploy runs again.

    Starts an emulated EC2 on a loopback port with one t3.micro. A real build that needs more than its 1 GiB runs here within that
    instance's memory, is stopped by the kernel, and passes once scale has resized the instance. Nothing is left behind.
    """
    from scaler.cli import demonstration

    ctx.exit(demonstration.run(keep=keep))
