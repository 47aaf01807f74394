"""Bodies that are prompts: what the model is told, what its replies come to, and what it cannot do."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Findings, Limits, Plan, Policy, Supervisor, Task, bind
from interlock.core.guards import Guards
from interlock.core.models import ModelCall
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.errors import ToolFailed
from interlock.inference.minds import PromptMinds
from interlock.mcp.servers import ToolServer
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate
from interlock.orchestration.checks import nobody_gave_up
from interlock.testing.model_server import ModelServer, Refuses, Says
from tests.desk import Order, Refund, Reply, Shop, Ticket, settings
from tests.prompts import Actor, Said, Script, write_prompt

ORDER = {"id": "A-1001", "total": "49.90"}
PAY: Said = {"shop__pay_back": {"order_id": "A-1001", "amount": "49.90"}}
DONE: Said = {"answer": {"order_id": "A-1001", "amount": "49.90"}}


class Desk:
    """One prompt agent over the shop's book, and what came of a run of it."""

    def __init__(self, folder: Path, script: Script, **options: Any) -> None:
        """The agent gets the shop's tools; above 100 a shift-lead is asked."""
        self.folder = folder
        self.shop = Shop(folder / "shop.db")
        self.model = Actor(script)
        self.checks: list[Any] = []
        self.guards = options.pop("guards", Guards())
        prompt = options.pop("prompt", None) or write_prompt(folder, "Pay back what {input.id} cost.")
        tools = options.pop("tools", [self.shop.latest_order, self.shop.pay_back])
        self.agent = Agent(
            "returns", "Pays a refund.", input=Order, output=Refund, prompt=prompt, tools=tools, **options
        )
        self.policy = Policy().allow(self.agent, self.shop.latest_order)
        self.policy.ask(self.agent, self.shop.pay_back, when=above, whom="shift-lead")
        self.policy.allow(self.agent, self.shop.pay_back)

    def graph(self) -> Any:
        """One task: the agent gets an order."""

        def route(ticket: Ticket) -> Plan:
            return Plan(Task(self.agent, Order(id="A-1001", total=Decimal(ticket.text))))

        def answer(ticket: Ticket, findings: Findings) -> Reply:
            return Reply(text="; ".join(f"{item.status}" for item in findings.items))

        return Supervisor(
            "desk",
            request=Ticket,
            response=Reply,
            agents=[self.agent],
            routes=[route],
            policy=self.policy,
            answer=answer,
            checks=self.checks,
            examples=[Ticket(text="1")],
        ).build()

    async def run(self, total: str = "49.90", *, yes: bool = True) -> tuple[Run, list[Line]]:
        """Runs it to its end; every question is answered by the same word."""
        async with self.app() as app:
            run = await app.run(Ticket(text=total))
            while run.state == "waiting_for_approval":
                for question in await app.questions(run.id):
                    await app.answer(question.id, yes=yes)
                run = await app.resume(run.id)
            return run, await app.stores.record.lines(run.id)

    def app(self) -> Any:
        """A fresh worker."""
        return bind(self.graph(), settings=settings(self.folder), models=self.model, guards=self.guards)


def above(call: Any) -> bool:
    """It is more than 100."""
    return call["amount"] > 100


def bodies(lines: list[Line], kind: str) -> list[Any]:
    """What the events of a kind say."""
    return [line.body for line in lines if line.event.kind == kind]


async def test_a_model_works_with_its_tools_and_answers_in_its_schema(tmp_path: Path) -> None:
    """A call goes through the gateway, its answer comes back to the model, and the result is typed."""
    desk = Desk(tmp_path, [PAY, DONE])

    run, lines = await desk.run()

    assert (run.outcome, desk.shop.rows()) == ("resolved", [("A-1001", "49.90")])
    assert bodies(lines, "task.returned")[0]["output"] == {"order_id": "A-1001", "amount": "49.90"}
    assert [m.speaker for m in desk.model.heard[1].messages] == ["system", "user", "assistant", "tool"]
    assert '"amount": "49.90"' in str(desk.model.heard[1].messages[-1].content)


async def test_what_the_model_is_told(tmp_path: Path) -> None:
    """The prompt with its fields filled, the house's rules, the task as data, and nothing but its tools."""
    desk = Desk(tmp_path, [DONE])

    await desk.run()

    (call,) = desk.model.heard
    system, user = call.messages
    assert str(system.content).startswith("Pay back what A-1001 cost.")
    assert "give_up" in str(system.content)
    assert '"total": "49.90"' in str(user.content)
    names = [tool["name"] for tool in call.tools]
    assert names == ["shop__latest_order", "shop__pay_back", "answer", "give_up"]


async def test_the_prompts_version_stands_in_the_record(tmp_path: Path) -> None:
    """Every call says which file, which declared version and which content it was rendered from."""
    prompt = write_prompt(tmp_path, "---\nversion: 3\nmax_tokens: 50\n---\nPay.", "returns.md")
    desk = Desk(tmp_path, [DONE], prompt=prompt, reasoning="low", model="careful")

    _, lines = await desk.run()

    (called,) = bodies(lines, "model.called")
    assert desk.agent.thinking is not None
    assert called["prompt_version"] == desk.agent.thinking.words.label
    assert called["prompt_version"].startswith("returns@3-")
    assert desk.model.routes == ["careful"]
    assert desk.model.heard[0].options["reasoning"] == "low"
    assert desk.model.heard[0].options["max_tokens"] == 50


async def test_a_question_in_the_middle_is_a_question(tmp_path: Path) -> None:
    """A call that needs a yes stops the run; afterwards nothing the model was asked is asked again."""
    big: Said = {"shop__pay_back": {"order_id": "A-1001", "amount": "250.00"}}
    desk = Desk(tmp_path, [{"shop__latest_order": {"email": "ann@example.com"}}, big, DONE])

    async with desk.app() as app:
        run = await app.run(Ticket(text="250.00"))
        (question,) = await app.questions(run.id)
        before = (run.state, desk.shop.rows(), len(desk.model.heard))
        await app.answer(question.id, yes=True)
    async with desk.app() as app:
        run = await app.resume(run.id)

    assert before == ("waiting_for_approval", [], 2)
    assert (run.outcome, desk.shop.rows()) == ("resolved", [("A-1001", "250.00")])
    assert len(desk.model.heard) == 3


async def test_two_questions_of_one_reply_are_asked_at_once(tmp_path: Path) -> None:
    """Calls of one reply run side by side; each waits for its own yes, and each happens once."""
    calls: Said = [
        ("shop__pay_back", {"order_id": "A-1", "amount": "150"}),
        ("shop__pay_back", {"order_id": "A-2", "amount": "160"}),
    ]
    desk = Desk(tmp_path, [calls, DONE])

    async with desk.app() as app:
        run = await app.run(Ticket(text="1"))
        first, second = await app.questions(run.id)
        await app.answer(first.id, yes=True)
        run = await app.resume(run.id)
        between = run.state
        await app.answer(second.id, yes=False)
        run = await app.resume(run.id)

    assert between == "waiting_for_approval"
    assert run.outcome == "resolved"
    assert len(desk.shop.rows()) == 1
    assert len(desk.model.heard) == 2


async def test_a_no_is_told_to_the_model(tmp_path: Path) -> None:
    """A refused call is an answer the model can work with; nothing was paid."""
    desk = Desk(tmp_path, [{"shop__pay_back": {"order_id": "A-1", "amount": "150"}}, DONE])

    run, _ = await desk.run(yes=False)

    assert (run.outcome, desk.shop.rows()) == ("resolved", [])
    assert str(desk.model.heard[1].messages[-1].content).startswith("Not done: ")


async def test_a_no_is_not_asked_for_again(tmp_path: Path) -> None:
    """A model that insists on a refused call does not wear people down: they are asked once."""
    big: Said = {"shop__pay_back": {"order_id": "A-1", "amount": "150"}}
    desk = Desk(tmp_path, [big, big, big, DONE])

    run, lines = await desk.run(yes=False)

    assert (run.outcome, desk.shop.rows()) == ("resolved", [])
    assert len(bodies(lines, "question.asked")) == 1
    assert "is not asked again" in str(desk.model.heard[3].messages[-1].content)


GIVE_UP: Said = {"give_up": {"reason": "no such order", "tried": ["looking it up"], "needs": "its number"}}


@pytest.mark.parametrize(
    "said",
    [
        GIVE_UP,
        '{"give_up": {"reason": "no such order", "tried": ["looking it up"], "needs": "its number"}}',
    ],
)
async def test_giving_up_is_a_result(tmp_path: Path, said: Said) -> None:
    """A model that gives up is not asked again; what it tried and needs stands in the run's reason."""
    desk = Desk(tmp_path, [said])

    run, lines = await desk.run()

    (returned,) = bodies(lines, "task.returned")
    assert run.outcome == "gave_up"
    assert (returned["status"], returned["why"]) == ("gave_up", "no such order")
    assert "its number" in run.reason
    assert len(desk.model.heard) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": {"order_id": 7}},
        "I have paid it back.",
        "",
        '{"order": "A-1001"}',
        [("answer", {"order_id": "A", "amount": "1"}), ("answer", {"order_id": "B", "amount": "2"})],
    ],
)
async def test_a_result_that_does_not_fit_is_corrected(tmp_path: Path, wrong: Said) -> None:
    """The model is told what is wrong, and its next result counts."""
    desk = Desk(tmp_path, [wrong, DONE])

    run, lines = await desk.run()

    assert run.outcome == "resolved"
    assert bodies(lines, "task.invalid") == []
    assert "Not done: " in str(desk.model.heard[1].messages[-1].content)


async def test_words_that_are_the_result_are_taken(tmp_path: Path) -> None:
    """A model that calls no functions may reply with the JSON of the result."""
    desk = Desk(tmp_path, ['```json\n{"order_id": "A-1001", "amount": "49.90"}\n```'])

    run, _ = await desk.run()

    assert run.outcome == "resolved"
    assert len(desk.model.heard) == 1


async def test_results_that_never_fit_are_kept_from_everybody(tmp_path: Path) -> None:
    """Two corrections an attempt, two attempts, each output quarantined; then the task has failed."""
    desk = Desk(tmp_path, [{"answer": {"order_id": "A-1001", "amount": "much"}}])

    run, lines = await desk.run()

    assert run.state == "failed"
    assert len(bodies(lines, "task.invalid")) == 2
    assert len(desk.model.heard) == 6
    assert "Your last result was not accepted" in str(desk.model.heard[3].messages[1].content)


async def test_a_result_beside_a_call_does_not_count(tmp_path: Path) -> None:
    """What a model claims before it has read a tool's answer is not its result."""
    early: Said = [
        ("shop__pay_back", {"order_id": "A-1001", "amount": "49.90"}),
        ("answer", {"order_id": "A-1001", "amount": "9999"}),
    ]
    desk = Desk(tmp_path, [early, DONE])

    _, lines = await desk.run()

    assert bodies(lines, "task.returned")[0]["output"]["amount"] == "49.90"
    assert desk.shop.rows() == [("A-1001", "49.90")]


async def test_an_invented_tool_is_not_there(tmp_path: Path) -> None:
    """A tool the agent was not granted is told to be unknown, whatever it is called."""
    desk = Desk(tmp_path, [{"payments__refund": {"amount": 9999}}, {"shop__paid_under": {"key": "k"}}, DONE])

    run, _ = await desk.run()

    assert run.outcome == "resolved"
    told = [str(call.messages[-1].content) for call in desk.model.heard[1:]]
    assert all("is not a valid tool" in each for each in told)
    assert desk.shop.rows() == []


async def test_arguments_that_do_not_fit_are_told(tmp_path: Path) -> None:
    """A call with wrong, missing or forged arguments never leaves; the model reads why."""
    calls: list[Said] = [
        {"shop__pay_back": {"order_id": "A-1001"}},
        {"shop__pay_back": {"order_id": "A-1001", "amount": "1", "key": "mine", "extra": 1}},
        {"shop__pay_back": {"tool": "x", "self": 1, "order_id": "A-1001", "amount": "1"}},
        DONE,
    ]
    desk = Desk(tmp_path, calls)

    run, _ = await desk.run()

    assert run.outcome == "resolved"
    assert all(str(c.messages[-1].content).startswith("Not done: ") for c in desk.model.heard[1:])
    assert desk.shop.rows() == []


@pytest.mark.parametrize(("guarded", "paid"), [(True, 1), (False, 3)])
async def test_a_model_that_repeats_an_effect(tmp_path: Path, guarded: bool, paid: int) -> None:
    """The same effect asked for again is answered by what it answered before; unguarded it is paid again."""
    shop = many_payments(tmp_path)
    pay: list[Said] = [{"till__pay": {"amount": amount}} for amount in ("5", 5, "5")]
    desk = Desk(tmp_path, [*pay, DONE], tools=[shop], guards=Guards(loops=guarded))
    desk.policy.allow(desk.agent, shop)

    run, _ = await desk.run()

    assert run.outcome == "resolved"
    assert len((tmp_path / "till.txt").read_text().splitlines()) == paid


def many_payments(folder: Path) -> Any:
    """A till that pays as often as it is asked."""
    till = ToolServer("till")

    @till.tool(effect="once")
    async def pay(amount: Decimal) -> Decimal:
        """Pays."""
        with (folder / "till.txt").open("a") as book:
            book.write(f"{amount}\n")
        return amount

    return pay


async def test_a_loop_ends(tmp_path: Path) -> None:
    """The same call over and over is refused after a while, and then the task fails with that reason."""
    desk = Desk(tmp_path, [{"shop__latest_order": {"email": "ann@example.com"}}])

    run, lines = await desk.run()

    assert run.state == "failed"
    assert "made the same call 6 times" in run.reason
    assert len(bodies(lines, "tool.read")) == 3
    assert len(desk.model.heard) == 7


async def test_endless_work_ends_within_the_limits(tmp_path: Path) -> None:
    """A model that always finds something new to ask is stopped by its agent's limits."""

    def script(call: ModelCall) -> Said:
        return {"shop__latest_order": {"email": f"{len(call.messages)}@example.com"}}

    desk = Desk(tmp_path, script, limits=Limits(seconds=30, model_calls=5))

    run, _ = await desk.run()

    assert run.state == "failed"
    assert "has used 5 of 5 model calls" in run.reason
    assert len(desk.model.heard) == 5


async def test_endless_work_ends_within_its_steps(tmp_path: Path) -> None:
    """`max_steps` bounds the conversation where nothing else does."""

    def script(call: ModelCall) -> Said:
        return {"shop__latest_order": {"email": f"{len(call.messages)}@example.com"}}

    desk = Desk(tmp_path, script, max_steps=9)

    run, _ = await desk.run()

    assert run.state == "failed"
    assert "more steps than it may" in run.reason
    assert len(desk.model.heard) == 5


async def test_a_second_attempt_knows_what_the_first_one_did(tmp_path: Path) -> None:
    """After an output that never fitted, the payment is told as done and is not made again."""
    wrong: Said = {"answer": {"order_id": "A-1001", "amount": "much"}}
    desk = Desk(tmp_path, [PAY, wrong, wrong, wrong, DONE])

    run, lines = await desk.run()

    assert (run.outcome, desk.shop.rows()) == ("resolved", [("A-1001", "49.90")])
    assert bodies(lines, "body.diverged") == []
    again = desk.model.heard[4].messages
    assert [each.speaker for each in again] == ["system", "user", "assistant", "tool"]
    assert again[2].requests[0].name == "shop__pay_back"


async def test_a_tools_failure_is_told(tmp_path: Path) -> None:
    """What a tool says when it refuses reaches the model, and nothing else of the failure does."""
    server = ToolServer("door")

    @server.tool()
    async def knock(times: int) -> str:
        """Knocks."""
        if times > 1:
            raise ToolFailed("once is enough")
        raise RuntimeError("the password is hunter2secret")

    desk = Desk(tmp_path, [{"door__knock": {"times": 2}}, {"door__knock": {"times": 1}}, DONE], tools=[knock])
    desk.policy.allow(desk.agent, knock)

    await desk.run()

    first, second = (str(call.messages[-1].content) for call in desk.model.heard[1:])
    assert "once is enough" in first
    assert "hunter2secret" not in second


class Colours(BaseModel):
    """What a list is made of."""

    name: str


@pytest.mark.parametrize(
    ("output", "said", "want"),
    [
        (list[Colours], {"answer": {"output": [{"name": "red"}]}}, [{"name": "red"}]),
        (list[Colours], '{"output": [{"name": "red"}]}', [{"name": "red"}]),
        (str, "red", "red"),
        (str, {"answer": {"output": "red"}}, "red"),
        (Order | Colours, {"answer": {"output": {"name": "red"}}}, {"name": "red"}),
    ],
)
async def test_outputs_of_every_shape(tmp_path: Path, output: Any, said: Said, want: object) -> None:
    """Lists, words and unions are results as well as objects."""
    model = Actor([said])
    agent = Agent("painter", "Paints.", input=Ticket, output=output, prompt=write_prompt(tmp_path))
    graph = Supervisor(
        "paint",
        request=Ticket,
        response=Reply,
        agents=[agent],
        routes=[lambda ticket: Plan(Task(agent, ticket))],
        answer=lambda ticket, findings: Reply(text="done"),
        examples=[Ticket(text="go")],
    ).build()
    async with bind(graph, settings=settings(tmp_path), models=model) as app:
        run = await app.run(Ticket(text="go"))
        lines = await app.stores.record.lines(run.id)

    assert bodies(lines, "task.returned")[0]["output"] == want


def skill(folder: Path) -> Path:
    """A skill with a table."""
    (folder / "refunds").mkdir()
    head = "---\nname: refunds\ndescription: How refunds are decided.\n---\n"
    (folder / "refunds" / "SKILL.md").write_text(f"{head}Look at the table first.")
    (folder / "refunds" / "table.md").write_text("lost: pay")
    (folder / "secret.md").write_text("the key is 4711")
    return folder / "refunds"


async def test_a_skill_is_read_when_the_model_asks(tmp_path: Path) -> None:
    """Its description stands in the prompt; its text comes when asked for, and the record says so."""
    reads: list[Said] = [
        {"load_skill": {"name": "refunds"}},
        {"load_skill": {"name": "refunds", "file": "table.md"}},
        DONE,
    ]
    desk = Desk(tmp_path, reads, skills=[skill(tmp_path)])

    run, lines = await desk.run()

    first, second, third = desk.model.heard
    assert run.outcome == "resolved"
    assert "- refunds: How refunds are decided." in str(first.messages[0].content)
    assert "Look at the table" not in str(first.messages[0].content)
    assert "Look at the table first." in str(second.messages[-1].content)
    assert str(third.messages[-1].content) == "lost: pay"
    assert [body["file"] for body in bodies(lines, "skill.loaded")] == ["SKILL.md", "table.md"]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "refunds", "file": "../secret.md"},
        {"name": "refunds", "file": "/etc/passwd"},
        {"name": "../refunds"},
        {"name": "nothing"},
        {"file": "SKILL.md"},
        {"name": 3, "file": ["x"], "path": "../secret.md"},
    ],
)
async def test_no_path_leads_out_of_a_skill(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Whatever a model asks for, it reads the skill's own files or is told that there are none."""
    desk = Desk(tmp_path, [{"load_skill": asked}, DONE], skills=[skill(tmp_path)])

    run, lines = await desk.run()

    told = str(desk.model.heard[1].messages[-1].content)
    assert told.startswith("Not done: ") and "4711" not in told
    assert (run.outcome, bodies(lines, "skill.loaded")) == ("resolved", [])


async def test_without_skills_there_is_no_way_to_load_one(tmp_path: Path) -> None:
    """An agent without skills does not offer them."""
    desk = Desk(tmp_path, [{"load_skill": {"name": "refunds"}}, DONE])

    await desk.run()

    assert "load_skill" not in [tool["name"] for tool in desk.model.heard[0].tools]
    assert "not a valid tool" in str(desk.model.heard[1].messages[-1].content)


class Registry:
    """The `Prompts` port: one prompt with a version, which can be changed or lost."""

    def __init__(self, text: str, version: str) -> None:
        """Says this until told otherwise."""
        self.says = text, version

    async def text(self, name: str, file_text: str) -> tuple[str, str]:
        """The words of `work`; for the rest the file's."""
        return self.says if name == "work" and self.says[0] else (file_text, "")


async def test_a_registrys_prompt_comes_before_the_file(tmp_path: Path) -> None:
    """Its words are told and its version is recorded; where it has none, the file's are."""
    desk = Desk(tmp_path, [DONE])
    registry = Registry("Pay back {input.id} with care.", "7")

    for want in ("Pay back A-1001 with care.", "Pay back what A-1001 cost."):
        async with desk.app() as app:
            app._minds = PromptMinds(prompts=registry)
            run = await app.run(Ticket(text="1"))
            (called,) = bodies(await app.stores.record.lines(run.id), "model.called")
        assert want in called["prompt"]
        assert called["prompt_version"].startswith("work@7-") == (want == "Pay back A-1001 with care.")
        registry.says = "", ""


async def test_a_registrys_prompt_that_nothing_can_fill_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It names a field that the agent's input does not have: the file is used, and the log says so."""
    desk = Desk(tmp_path, [DONE])
    async with desk.app() as app:
        app._minds = PromptMinds(prompts=Registry("Pay back {input.iban}.", "8"))
        await app.run(Ticket(text="1"))

    assert "Pay back what A-1001 cost." in str(desk.model.heard[0].messages[0].content)
    assert "prompt work@8 names {input.iban}" in caplog.text


async def test_a_prompt_that_changes_while_a_run_waits_changes_later_runs(tmp_path: Path) -> None:
    """A run that waits for a yes goes on with the words it began with, and repeats nothing."""
    desk = Desk(tmp_path, [{"shop__pay_back": {"order_id": "A-1", "amount": "150"}}, DONE])
    registry = Registry("First words.", "1")
    async with desk.app() as app:
        app._minds = PromptMinds(prompts=registry)
        run = await app.run(Ticket(text="1"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
    registry.says = "Other words.", "2"
    async with desk.app() as app:
        app._minds = PromptMinds(prompts=registry)
        run = await app.resume(run.id)

    assert (run.outcome, desk.shop.rows()) == ("resolved", [("A-1", "150")])
    assert len(desk.model.heard) == 2
    assert str(desk.model.heard[1].messages[0].content).startswith("First words.")


async def test_a_body_on_the_real_wire(tmp_path: Path) -> None:
    """The same body behind the gateway and a provider's own client, against a server on loopback."""
    call = Says(calls=[("shop__pay_back", {"order_id": "A-1001", "amount": "49.90"})])
    done = Says(calls=[("answer", {"order_id": "A-1001", "amount": "49.90"})])
    desk = Desk(tmp_path, [DONE])
    async with ModelServer([call, Refuses(500), done]) as server:
        chosen = settings(tmp_path, model="gpt-test", model_url=server.url)
        async with bind(desk.graph(), settings=chosen) as app:
            run = await app.run(Ticket(text="49.90"))
        asked = server.book[0]

    assert (run.outcome, desk.shop.rows()) == ("resolved", [("A-1001", "49.90")])
    assert set(asked.tools) == {"shop__latest_order", "shop__pay_back", "answer", "give_up"}
    assert run.spend.model_calls == 3  # one was refused by the server, and sent again
    assert desk.model.heard == []


async def test_giving_up_reaches_a_person_before_anything_leaves(tmp_path: Path) -> None:
    """With the check for it, the owner sees why and what is needed, and decides whether the answer leaves."""
    desk = Desk(tmp_path, [GIVE_UP])
    desk.checks = [nobody_gave_up]

    async with desk.app() as app:
        run = await app.run(Ticket(text="1"))
        (question,) = await app.questions(run.id)
        waiting = (run.state, run.response)
        await app.answer(question.id, yes=True)
        run = await app.resume(run.id)
        story = explain(run, await app.stores.record.lines(run.id))

    assert waiting == ("waiting_for_approval", None)
    assert "returns: no such order (needed: its number)" in str(question.model_dump())
    assert (run.outcome, len(desk.model.heard)) == ("gave_up", 1)
    assert "It had tried looking it up." in "\n".join(narrate(story))
    assert "It would need its number." in "\n".join(narrate(story))


async def test_an_effect_whose_answer_nobody_knows_is_not_repeated(tmp_path: Path) -> None:
    """A person says that it happened; the model is told so, and asking again pays nothing."""
    till = ToolServer("till")

    @till.tool(effect="once")
    async def pay(amount: Decimal) -> Refund:
        """Pays, and breaks before it answers."""
        with (tmp_path / "till.txt").open("a") as book:
            book.write(f"{amount}\n")
        raise RuntimeError("the line went dead")

    asked: Said = {"till__pay": {"amount": "5"}}
    desk = Desk(tmp_path, [asked, asked, DONE], tools=[pay])
    desk.policy.allow(desk.agent, pay)
    async with desk.app() as app:
        run = await app.run(Ticket(text="1"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
        run = await app.resume(run.id)

    first, second = (str(call.messages[-1].content) for call in desk.model.heard[1:])
    assert (question.kind, run.outcome) == ("settle", "resolved")
    assert "happened, but its answer is not known. Do not ask for it again." in first
    assert "this was done already" in second
    assert (tmp_path / "till.txt").read_text() == "5\n"
