"""Prompt files: where they are looked for, what their head may say, and what their version depends on."""

from pathlib import Path
from types import CodeType

import pytest
from pydantic import BaseModel

from interlock import Agent
from interlock.core.prompts import Prompt, fill, parse, places
from interlock.errors import BuildError
from tests.prompts import write_prompt


class Order(BaseModel):
    """An input."""

    id: str


def agent(prompt: Path | str, **more: object) -> Agent[Order, Order]:
    """An agent that works by a prompt."""
    return Agent("returns", "Pays back.", input=Order, output=Order, prompt=prompt, **more)  # type: ignore[arg-type]


def test_a_head_is_read_and_not_told() -> None:
    """Version and options stand in the head; the model reads what is below it."""
    prompt = parse(
        "returns", "---\nversion: 3\ntemperature: 0.2\nmax_tokens: 90\nwindow: 8000\n---\nPay.\n", "x"
    )

    assert (prompt.text, prompt.window) == ("Pay.", 8000)
    assert dict(prompt.hints) == {"temperature": 0.2, "max_tokens": 90}
    assert prompt.label.startswith("returns@3-") and len(prompt.label) == len("returns@3-") + 6


def test_a_file_without_a_head_is_all_prompt() -> None:
    """The version is then the content's digest alone."""
    prompt = parse("returns", "Pay.\n---\nand more", "x")

    assert prompt.text == "Pay.\n---\nand more"
    assert len(prompt.version) == 6 and "-" not in prompt.version


def test_the_version_goes_by_content_and_not_by_line_ends() -> None:
    """One word changes it, the head's too; the system that wrote the file does not."""
    words = [
        parse("p", text, "x").version
        for text in ("Pay.\n", "Pay.\r\n", "Pay!\n", "---\nseed: 1\n---\nPay.\n")
    ]

    assert words[0] == words[1]
    assert len(set(words)) == 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "says nothing"),
        ("---\nversion: 1\n---\n\n", "says nothing"),
        ("---\nversion\n---\nPay.", "is not `name: value`"),
        ("---\nmodel: gpt\n---\nPay.", "its head says 'model'"),
        ("---\ntemperature: warm\n---\nPay.", "a number of its head is none"),
        ("---\ntemperature: nan\n---\nPay.", "'nan' is not finite"),
        ("---\nmax_tokens: 0\n---\nPay.", "'0' is less than 1"),
        ("---\nwindow: -5\n---\nPay.", "'-5' is less than 1"),
    ],
)
def test_a_prompt_that_cannot_be_used_fails_the_build(text: str, why: str) -> None:
    """What is wrong with the file is said with its name."""
    with pytest.raises(BuildError, match=why) as raised:
        parse("p", text, "returns.md")

    assert "returns.md" in raised.value.message


def test_a_missing_file_fails_the_build(tmp_path: Path) -> None:
    """An agent whose prompt is not there cannot be made, and the path that was tried is named."""
    with pytest.raises(BuildError, match=r"there is no prompt file .*nowhere\.md"):
        agent(tmp_path / "nowhere.md")


def test_a_file_that_is_no_text_fails_the_build(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told as such."""
    (tmp_path / "p.md").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BuildError, match="cannot be read: UnicodeDecodeError"):
        agent(tmp_path / "p.md")


def test_a_relative_path_starts_beside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where the program is started: the file that makes the agent is what counts."""
    (tmp_path / "prompts").mkdir()
    write_prompt(tmp_path / "prompts", "Beside.", "returns.md")
    program = tmp_path / "agents.py"
    source = (
        "from interlock import Agent\n"
        "def make(): return Agent('returns', 'Pays.', input=str, output=str, prompt='prompts/returns.md')\n"
    )
    program.write_text(source)
    names = run(compile(source, str(program), "exec"))
    monkeypatch.chdir("/")

    made = names["make"]()  # type: ignore[operator]

    assert made.thinking.words.text == "Beside."


def test_a_relative_path_of_no_file_starts_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a console there is no file to stand beside."""
    write_prompt(tmp_path, "Here.", "p.md")
    monkeypatch.chdir(tmp_path)
    source = "from interlock import Agent\nmade = Agent('a', 'b', input=str, output=str, prompt='p.md')\n"

    names = run(compile(source, "<stdin>", "exec"))

    assert names["made"].thinking.words.text == "Here."  # type: ignore[attr-defined]


def run(code: CodeType) -> dict[str, object]:
    """What a program defines."""
    names: dict[str, object] = {"__name__": "program"}
    exec(code, names)
    return names


def test_a_changed_prompt_is_another_agent(tmp_path: Path) -> None:
    """The agent's version goes by the prompt's content, and not by where the file lies."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    first = agent(write_prompt(tmp_path, "Pay."))
    same = agent(write_prompt(other, "Pay."))
    changed = agent(write_prompt(tmp_path, "Pay at once."))

    assert first.version == same.version
    assert first.version != changed.version
    assert agent(write_prompt(tmp_path, "Pay."), reasoning="high").version != first.version


def test_fields_of_the_input_are_filled_in() -> None:
    """`{input.field}` is replaced; every other brace is left alone."""
    text = 'Order {input.id}, whole: {input}. Reply like {"a": {}} or {other}.'

    assert places(text) == [("id",), ()]
    assert fill(text, lambda path: "/".join(path) or "all") == (
        'Order id, whole: all. Reply like {"a": {}} or {other}.'
    )


def test_a_field_that_is_not_there_fails_the_build(tmp_path: Path) -> None:
    """A prompt that names what its input does not have would be filled with nothing."""
    with pytest.raises(BuildError, match=r"names \{input.total\}, which its input does not have"):
        agent(write_prompt(tmp_path, "It cost {input.total}."))


def test_another_sources_words_have_another_version() -> None:
    """What a registry says instead of the file is known by its own version and content."""
    prompt = parse("returns", "Pay.", "x")

    assert prompt.other("Pay!", "7").label.startswith("returns@7-")
    assert prompt.other("Pay!", "7").label != prompt.other("Pay?", "7").label
    assert isinstance(prompt, Prompt)
