"""The command line. Nothing heavy is imported before a command needs it, so `--help` answers at once.

Each module declares one group of commands; what they print is in `terminal`, what they exit with in `exits`.
"""

import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from interlock import __version__
from interlock.cli import (
    approvals,
    audit,
    doctor,
    effects,
    evaluate,
    exits,
    explain,
    graph,
    mcp,
    new,
    optimize,
    project,
    replay,
    run,
    runs,
    serve,
    terminal,
)
from interlock.errors import InterlockError

app: typer.Typer = typer.Typer(
    name="interlock",
    help="Interlock makes LangGraph multi-agent systems safe to run on real systems.",
    epilog="Exit codes: 0 completed, 1 a check failed, 2 bad argument or input, 3 waiting for a person, "
    "4 gave up, blocked or held by another process, 5 failed, 6 canceled or rolled back; of several runs "
    "the highest.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(new.new)
app.command()(run.run)
app.command()(serve.serve)
app.command()(mcp.mcp)
app.add_typer(runs.app, name="runs")
app.add_typer(approvals.app, name="approvals")
app.add_typer(effects.app, name="effects")
app.command()(explain.explain)
app.add_typer(audit.app, name="audit")
app.command()(graph.graph)
app.add_typer(graph.tools, name="tools")
app.add_typer(evaluate.app, name="eval")
app.command()(optimize.optimize)
app.command()(replay.replay)
app.command()(doctor.doctor)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        terminal.say(f"interlock {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        terminal.say(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; every error is one sentence on standard error."""
    try:
        return app(args=arguments, prog_name="interlock", standalone_mode=False) or exits.DONE
    except terminal.ReaderGone:
        return exits.PIPE_CLOSED
    except KeyboardInterrupt:
        return exits.STOPPED
    except (Exception, SystemExit) as error:
        code, told = _told(error)
        terminal.tell(told)
        if project.debugging():
            traceback.print_exception(error)
        return code


def _told(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and its sentence."""
    if isinstance(error, InterlockError):
        return exits.of_error(error), error.message
    if isinstance(error, typer.TyperException):
        return exits.BAD_INPUT, _usage(error)
    return exits.FAILED, _unexpected(error)


def _usage(error: typer.TyperException) -> str:
    """A wrong command as one sentence that says where the right one stands."""
    told = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "interlock"
    return f"{told.rstrip('.')}: see `{path} --help`."


def _unexpected(error: BaseException) -> str:
    from interlock.core.redaction import redact_text

    text = redact_text(str(error).strip()).partition("\n")[0]
    told = type(error).__name__ + (f": {text}" if text else "")
    return f"This should not have happened ({told}); INTERLOCK_DEBUG=1 shows where."
