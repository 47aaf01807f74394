"""What reaches the terminal: results on standard output, everything else on standard error.

Text of others (tickets, answers of tools, names) is made harmless before a person sees it.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import TextIO

_WIDTH = 160
"""Columns of a table that is not read on a terminal."""
_reserved: list[TextIO] = []
"""Standard output, while what others print is kept out of it."""


class ReaderGone(Exception):
    """Whoever read what is printed has gone away, as `head` does."""


@contextmanager
def apart() -> Generator[None]:
    """Sends what graphs and tools print to standard error: standard output carries results alone."""
    _reserved.append(_out())
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _reserved.pop()


def quiet(debug: bool) -> None:
    """Keeps the libraries' logs and warnings off the terminal; `debug` shows them on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if debug:
        logging.basicConfig(
            level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
        )
        logging.getLogger("interlock").setLevel(logging.DEBUG)
        return
    tracing = logging.getLogger("interlock.tracing")
    if not any(isinstance(handler, _Aside) for handler in tracing.handlers):
        tracing.addHandler(_Aside())
    # A root handler keeps Python's last resort, and the mcp package's own handlers, from printing.
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


class _Aside(logging.Handler):
    """Shows what people should know though nothing stops for it, such as traces that cannot be sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints the warning as one line."""
        tell(record.getMessage())


def say(*lines: str) -> None:
    """Results for people, on standard output."""
    for line in lines:
        _print(_clean(line), _out())


def tell(text: str) -> None:
    """One line beside the results, on standard error."""
    _print(_clean(text), sys.stderr)


def emit(value: object, *, indent: int | None = None) -> None:
    """A result as JSON, on standard output."""
    out = _out()
    ascii_only = (out.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    # Letters stay readable; what is none (a control, a line separator, a direction mark) is escaped.
    _print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text), out)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, before: str = "") -> None:
    """A table for people, each line after `before`; the last column takes the room that is left."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        last = number == len(columns) - 1
        drawn.add_column(name, no_wrap=not last, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_clean("" if cell is None else str(cell))) for cell in row))
    out = _out()
    console = Console(
        file=out, width=None if out.isatty() else _WIDTH, markup=False, highlight=False, emoji=False
    )
    with console.capture() as capture:
        console.print(drawn)
    for line in capture.get().splitlines():
        _print(f"{before}{line}".rstrip(), out)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Without this Python would complain once more while shutting down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise ReaderGone from None


def _out() -> TextIO:
    return _reserved[-1] if _reserved else sys.stdout


def _clean(text: str) -> str:
    """The text without anything that moves the cursor, hides text or turns its direction."""
    if text.isprintable():
        return text
    kept = (
        c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
    return "".join(kept)
