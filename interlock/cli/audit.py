"""`interlock audit`: verifies the record, exports it and its signed heads, erases what is about a person."""

import json as json_
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import exits, options, project, terminal
from interlock.errors import BadInput, NotFound

if TYPE_CHECKING:
    from interlock.bootstrap import Stores
    from interlock.core.audit import Report
    from interlock.core.events import Head
    from interlock.core.principal import Principal
    from interlock.core.stores import Line
    from interlock.settings import Settings

app: typer.Typer = typer.Typer(help="Verify, export and erase what is recorded.")
Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run; without one, every run.")]
EVERY = 2**31
"""More runs than a database holds."""


@app.command()
def verify(
    run: Run = None,
    head: Annotated[
        Path | None, typer.Option("--head", metavar="FILE", help="Heads that `audit export --heads` wrote.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Recompute the record's chain and check its signatures.

    Exits with 1 if something was changed. Heads that were exported and kept elsewhere find even what the
    holder of the signing key changed.
    """
    kept = [] if head is None else _heads_in(head)
    report = project.play(_verify(project.settings(), run, kept))
    if json:
        told = asdict(report)
        terminal.emit({"ok": report.whole, **told, "sentence": report.sentence}, indent=2)
    else:
        terminal.say(f"audit: {'ok' if report.whole else 'broken'}", report.sentence)
        terminal.say(*(f"  {finding}" for finding in report.findings[:20]))
    raise typer.Exit(exits.DONE if report.whole else exits.CHECK_FAILED)


@app.command()
def export(
    run: Run = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="The last signed head of each run, to be kept elsewhere.")
    ] = False,
) -> None:
    """Print a record, or the signed heads, as one JSON object per line."""
    settings = project.settings()
    if heads:
        for each in project.play(_last_heads(settings, run)):
            terminal.emit(each.model_dump(mode="json"))
        return
    if run is None:
        raise BadInput("export needs what to print: a run, or --heads.")
    lines, signed = project.play(_record(settings, run))
    for line in lines:
        told = {"hash": line.hash, "salt": line.salt, "body": line.body, "erased": line.erased}
        terminal.emit({"event": line.event.model_dump(mode="json"), **told})
    for each in signed:
        terminal.emit({"head": each.model_dump(mode="json")})


@app.command()
def erase(
    subject: Annotated[
        str, typer.Option(metavar="PERSON", help="Whom runs are about, such as a customer's address.")
    ],
    json: options.Json = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Remove what is stored about a person.

    The chain stays whole, and says by whom it was erased.
    """
    settings = project.settings()
    by = options.principal(settings, user, role)
    touched = project.play(_erase(settings, subject, by))
    if json:
        terminal.emit({"subject": subject, "runs": touched}, indent=2)
    else:
        terminal.say(f"Erased what was stored about {subject}, in: {', '.join(touched)}.")


async def _verify(settings: "Settings", run: str | None, kept: "list[Head]") -> "Report":
    from interlock.core.audit import Report, verify

    async with project.stores(settings) as stores:
        found: list[Report] = []
        for name in await _runs(stores, run, kept):
            try:
                ends = {name: await stores.record.end(name)}
            except NotFound:
                ends = None  # its row is gone; exported heads still know it
            found.append(
                verify(
                    await stores.record.lines(name),
                    await stores.record.heads(name),
                    stores.signer.check,
                    ends=ends,
                    exported=[each for each in kept if each.run == name],
                )
            )
    return Report(
        runs=len(found),
        events=sum(each.events for each in found),
        signed=sum(each.signed for each in found),
        exported=sum(each.exported for each in found),
        findings=tuple(finding for each in found for finding in each.findings),
        unsigned=tuple(finding for each in found for finding in each.unsigned),
    )


async def _runs(stores: "Stores", run: str | None, kept: "list[Head]") -> list[str]:
    """The run asked for, or every run that a row, a head or an exported head names."""
    heads = [each.run for each in (*await stores.record.heads(run), *kept)]
    if run is not None:
        if run not in heads:
            await stores.runs.get(run)
        return [run]
    rows = [each.id for each in await stores.runs.list(limit=EVERY)]
    return sorted({*rows, *heads})


async def _last_heads(settings: "Settings", run: str | None) -> "list[Head]":
    async with project.stores(settings) as stores:
        if run is not None:
            await stores.runs.get(run)
        last = {head.run: head for head in sorted(await stores.record.heads(run), key=lambda head: head.seq)}
        return sorted(last.values(), key=lambda head: (head.at, head.run))


async def _record(settings: "Settings", run: str) -> "tuple[list[Line], list[Head]]":
    async with project.stores(settings) as stores:
        await stores.runs.get(run)
        return await stores.record.lines(run), await stores.record.heads(run)


async def _erase(settings: "Settings", subject: str, by: "Principal") -> list[str]:
    async with project.stores(settings) as stores:
        now = stores.clock.now()
        touched = await stores.record.erase(subject, by.user, now)
        if not touched:
            raise NotFound(f"no run is about {subject!r}, so nothing was erased.")
        for run in touched:
            await stores.record.sign(run, now)
        return touched


def _heads_in(file: Path) -> "list[Head]":
    """The heads in a file of `audit export --heads`.

    Raises:
        BadInput: if it is something else.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(f"{str(file)!r} cannot be read: {told}.") from error
    found = [
        _head(line, f"{str(file)!r}, line {number},") for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not found:
        raise BadInput(f"{str(file)!r} holds no head: {_WANTED}.")
    return found


def _head(line: str, where: str) -> "Head":
    from interlock.core.events import Head

    try:
        value = json_.loads(line)
        return Head.model_validate(value["head"] if isinstance(value, dict) and "head" in value else value)
    except (ValueError, RecursionError) as error:  # pydantic's errors are ValueErrors too
        raise BadInput(f"{where} is no head: {_WANTED}.") from error


_WANTED = "give a file that `interlock audit export --heads` wrote"
