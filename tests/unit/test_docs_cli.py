"""The page of the command line names every command and option there is, and none that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from interlock.cli import app, exits

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
CALL = re.compile(r"\binterlock((?: [a-z]+)+)")
OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)")
LONG = re.compile(r"--[a-z-]+")


def commands() -> dict[str, Any]:
    """The program's own table: a command's words -> the command."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield " ".join(words), command
            return
        for name, each in below.items():
            yield from walk(each, (*words, name))

    return dict(walk(typer.main.get_command(app), ()))


COMMANDS = commands()


def options(command: Any) -> set[str]:
    """The options of a command, in all their spellings."""
    return {
        spelling
        for parameter in command.params
        if parameter.param_type_name == "option"
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }


def arguments(command: Any) -> set[str]:
    """The names of a command's arguments."""
    return {
        parameter.metavar.strip("[]")
        for parameter in command.params
        if parameter.param_type_name == "argument"
    }


def sections() -> dict[str, str]:
    """What the page says of each command, under a heading such as `## interlock runs list`."""
    parts = re.split(r"^#{2,4} `interlock ([a-z ]+)`\n", PAGE, flags=re.MULTILINE)
    return {
        name: re.split(r"^#{1,3} ", text, flags=re.MULTILINE)[0]
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_page_has_the_programs_commands_and_no_others() -> None:
    """One section for each command."""
    assert sorted(sections()) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_has_the_commands_options_and_no_others(name: str) -> None:
    """Its example calls it; its arguments and options stand in it, with nothing beside them."""
    command, text = COMMANDS[name], sections().get(name, "")
    calls = [words.strip() for words in CALL.findall(text)]
    foreign = set(OPTION.findall(text)) - options(command)
    allowed = {option for call in set(calls) - {name} for option in options(COMMANDS.get(call) or command)}

    assert f"    interlock {name}" in text or f"\ninterlock {name}" in text
    assert [option for option in options(command) if option not in OPTION.findall(text)] == []
    assert [each for each in arguments(command) if each not in text] == []
    assert foreign - allowed == set()


def test_every_command_that_the_page_mentions_exists() -> None:
    """A call anywhere on the page begins with a command's words."""
    groups = {name.rpartition(" ")[0] for name in COMMANDS}
    lost = [
        words.strip()
        for words in CALL.findall(PAGE)
        if not any(f"{words.strip()} ".startswith(f"{name} ") for name in COMMANDS)
        and words.strip() not in groups
    ]

    assert lost == []


def test_the_page_has_the_exit_codes() -> None:
    """The table of exit codes has the program's codes, each once."""
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)]
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}

    assert sorted(told) == sorted(codes)
