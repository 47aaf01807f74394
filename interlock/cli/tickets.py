"""Reads what a run is asked: one JSON object, or one per line."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

from interlock.errors import BadInput

STDIN = "-"


def read(source: str) -> list[dict[str, Any]]:
    """The tickets in a file, or on standard input for `-`.

    Raises:
        BadInput: saying what is wrong, and in which line.
    """
    text = _text(source)
    where = "standard input" if source == STDIN else repr(source)
    if not text.strip():
        raise BadInput(f"{where} is empty: give one JSON object, or one per line.")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        found = [_parsed(text)]
    except json.JSONDecodeError as whole:
        # One object over several lines is wrong where it is wrong; only whole lines are read one by one.
        if len(lines) == 1 or not _is_json(lines[0][1]):
            raise BadInput(f"{where} is not JSON: {whole.msg}, in line {whole.lineno}.") from whole
        found = [_line(number, line, where) for number, line in lines]
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} cannot be used: {_told(error)}.") from error
    for number, ticket in enumerate(found, 1):
        if not isinstance(ticket, dict):
            which = f"value {number} of {where}" if len(found) > 1 else where
            raise BadInput(f"{which} is {_kind(ticket)}: give one JSON object, or one per line.")
    return cast("list[dict[str, Any]]", found)


def _text(source: str) -> str:
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"there is no file {source!r}.") from None
    except IsADirectoryError:
        raise BadInput(f"{source!r} is a folder: give a file of JSON, or - for standard input.") from None
    except UnicodeDecodeError as error:
        where = "standard input" if source == STDIN else repr(source)
        raise BadInput(f"{where} is not text in UTF-8 (byte {error.start} does not fit).") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{source!r} cannot be read: {_told(error)}.") from error


def _line(number: int, line: str, where: str) -> object:
    try:
        return _parsed(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}, line {number}, is not JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}, line {number}, cannot be used: {_told(error)}.") from error


def _is_json(line: str) -> bool:
    try:
        _parsed(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(text: str) -> object:
    """The value; only what the record can keep, so no NaN, no half characters, no endless numbers."""
    value = json.loads(text, parse_constant=_refused)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text in it has half of a character") from error
    return value


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _told(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error).partition(";")[0]


def _kind(value: object) -> str:
    names: dict[type, str] = {list: "a list", str: "a text", bool: "yes or no", type(None): "null"}
    return names.get(type(value), "a number")
