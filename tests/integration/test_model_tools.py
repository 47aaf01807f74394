"""Tools of a prompt body that Python does not declare: by name and by pattern, over a real stdio server."""

import sys
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Findings, Plan, Policy, Supervisor, Task, bind
from interlock.inference.toolbox import Toolbox
from interlock.settings import ToolServerSettings
from tests.desk import Reply, Ticket, settings
from tests.prompts import Actor, Said, write_prompt


class Clerk:
    """An agent that jots down by a server of the settings."""

    def __init__(self, folder: Path, script: list[Said], *granted: str) -> None:
        """Every call needs a yes."""
        self.folder = folder
        self.model = Actor(script)
        self.agent = Agent(
            "clerk", "Jots down.", input=Ticket, output=str, prompt=write_prompt(folder), tools=granted
        )

    async def run(self) -> tuple[Any, list[str]]:
        """Runs it with yes to everything; the book's lines."""

        def answer(ticket: Ticket, findings: Findings) -> Reply:
            return Reply(text="".join(findings.get(self.agent)))

        graph = Supervisor(
            "office",
            request=Ticket,
            response=Reply,
            agents=[self.agent],
            routes=[lambda ticket: Plan(Task(self.agent, ticket))],
            policy=Policy().ask(self.agent, "notes/*"),
            answer=answer,
            examples=[Ticket(text="x")],
        ).build()
        book = self.folder / "notes"
        command = (sys.executable, "-m", "tests.integration.notes_server", str(book))
        server = ToolServerSettings(command=command, env={"PYTHONPATH": "."})
        chosen = settings(self.folder, tools={"notes": server})
        async with bind(graph, settings=chosen, models=self.model) as app:
            run = await app.run(Ticket(text="milk"))
            while run.state == "waiting_for_approval":
                for question in await app.questions(run.id):
                    await app.answer(question.id, yes=True)
                run = await app.resume(run.id)
        return run, book.read_text().splitlines() if book.exists() else []


async def test_a_tool_granted_by_name(tmp_path: Path) -> None:
    """It is a function that takes any arguments; its call needs a yes like every undeclared one."""
    clerk = Clerk(tmp_path, [{"notes__add_note": {"text": "milk"}}, "done"], "notes/add_note")

    run, lines = await clerk.run()

    assert (run.outcome, lines) == ("resolved", ["milk"])
    assert "milk" in str(clerk.model.heard[1].messages[-1].content)


async def test_tools_granted_by_pattern(tmp_path: Path) -> None:
    """One function stands for all of them; what the pattern does not cover stays refused."""
    script: list[Said] = [
        {"notes____": {"tool": "notes/add_note", "arguments": {"text": "milk"}}},
        {"notes____": {"tool": "till/pay", "arguments": {"amount": 5}}},
        {"notes____": {"tool": None, "arguments": "text"}},
        "done",
    ]
    name = Toolbox(["notes/*"], None).functions[0].name  # type: ignore[arg-type]
    clerk = Clerk(tmp_path, [_named(said, name) for said in script], "notes/*")

    run, lines = await clerk.run()

    told = [str(call.messages[-1].content) for call in clerk.model.heard[1:]]
    assert (run.outcome, lines) == ("resolved", ["milk"])
    assert "milk" in told[0]
    assert told[1].startswith("Not done: ") and told[2].startswith("Not done: ")


def _named(said: Said, name: str) -> Said:
    return {name: next(iter(said.values()))} if isinstance(said, dict) else said


@pytest.mark.parametrize(
    "granted",
    [
        ["a/b", "a__b/c"],
        ["shop/find", "shop/find_*", "shop/*", "shop/?"],
        [f"server/{'long_' * 20}{number}" for number in range(5)],
        ["büro/öffnen", "buero/oeffnen"],
        ["answer", "give_up", "load_skill"],
    ],
)
def test_functions_have_legal_names_of_their_own(granted: list[str]) -> None:
    """Whatever tools are called, their functions' names are short, plain, and no two alike."""
    names = [each.name for each in Toolbox(granted, None).functions]  # type: ignore[arg-type]

    assert len({*names, "answer", "give_up", "load_skill"}) == len(granted) + 3
    assert all(len(name) <= 64 and name.isascii() and "/" not in name and "*" not in name for name in names)
