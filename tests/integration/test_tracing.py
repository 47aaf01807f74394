"""Runs as traces: what a receiver on loopback really got, and what a bad one costs (nothing)."""

import asyncio
import json
import logging
import socket
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Doors, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.core.principal import Principal
from interlock.core.runs import Run
from interlock.core.trace import root_of, trace_of, traceparent
from interlock.errors import InterlockError
from interlock.settings import Settings
from tests.desk import Order, Reply, Shop, Ticket, desk, settings
from tests.integration.test_hand_written import graph as by_hand
from tests.nested import house
from tests.receiver import Got, Receiver
from tests.recorded import Scripted, asking, busy

LEAD = Principal(user="lena", scopes=("shift-lead",))
SECRET = "sk-live-4eC39HqLyjWDarjtT1zdp7dc"
PLAIN = "blue-heron"
LOST = Ticket(text="my parcel is lost")


def traced(folder: Path, receiver: Receiver, **more: Any) -> Settings:
    """Settings that send to the receiver as to Langfuse."""
    keys = {"langfuse_public_key": "pk-lf-test", "langfuse_secret_key": "sk-lf-test"}
    return settings(folder, langfuse_base_url=receiver.url, **keys, **more)


def check_whole(spans: list[Got], run: Run) -> None:
    """One trace with one root, each span once, and every parent there."""
    assert {span.trace for span in spans} == {trace_of(run.id)}
    ids = Counter(span.id for span in spans)
    assert max(ids.values()) == 1
    assert [span.id for span in spans if not span.parent] == [root_of(run.id)]
    assert {span.parent for span in spans if span.parent} <= set(ids)


async def test_a_run_with_a_question_is_one_trace_across_two_programs(tmp_path: Path) -> None:
    """Who starts a run and who carries it on after the answer send parts of one trace, nothing twice."""
    shop = Shop(tmp_path / "shop.db", total="250")
    with Receiver() as receiver:
        given = traced(tmp_path, receiver)
        async with bind(desk(shop).build(), settings=given) as app:
            waiting = await app.run(LOST)
            (question,) = await app.questions(waiting.id)
        before = list(receiver.spans)
        async with bind(desk(shop).build(), settings=given) as app:
            await app.answer(question.id, yes=True, by=LEAD)
            run = await app.resume(waiting.id)

    assert run.state == "completed"
    assert before and root_of(run.id) not in {span.id for span in before}
    check_whole(receiver.spans, run)
    asked = receiver.one("question: approve")
    assert (asked.meta("whom"), asked.meta("by"), asked.meta("yes")) == ("shift-lead", "lena", True)
    assert asked.parent == receiver.one("returns").id
    assert receiver.one("returns").begun < asked.begun < asked.ended < receiver.one("returns").ended


async def test_what_happened_is_typed_as_langfuse_names_it(tmp_path: Path) -> None:
    """Agents, tools, the plan, the policy and the gate have types; tools stand below their agents."""
    shop = Shop(tmp_path / "shop.db", total="250")
    with Receiver() as receiver:
        async with bind(desk(shop).build(), settings=traced(tmp_path, receiver)) as app:
            run = await app.run(LOST)
            (question,) = await app.questions(run.id)
            await app.answer(question.id, yes=True, by=LEAD)
            await app.resume(run.id)

    types = {span.name: span.type for span in receiver.spans}
    assert types == {
        "support": "AGENT",
        "orders": "AGENT",
        "returns": "AGENT",
        "plan": "CHAIN",
        "shop/latest_order": "TOOL",
        "shop/pay_back": "TOOL",
        "policy: ask": "GUARDRAIL",
        "gate": "GUARDRAIL",
        "question: approve": "SPAN",
        "segment": "SPAN",
    }
    paid = receiver.one("shop/pay_back")
    assert paid.parent == receiver.one("returns").id
    assert receiver.one("returns").parent == receiver.one("support").id == root_of(run.id)
    assert (paid.meta("effect"), paid.meta("verdict"), paid.kind) == ("confirmed", "ask", 3)
    assert json.loads(paid.attributes["langfuse.observation.input"]) == {
        "order_id": "A-1001",
        "amount": "250",
    }
    assert paid.attributes["gen_ai.operation.name"] == "execute_tool"
    assert paid.attributes["gen_ai.tool.name"] == "shop/pay_back"


async def test_every_span_says_who_where_and_what_version(tmp_path: Path) -> None:
    """User, session, tags, release and environment are on every span; the app's root is marked once."""
    with Receiver() as receiver:
        labels = {"trace_tags": ("night-shift",), "trace_release": "2026.11", "trace_environment": "staging"}
        given = traced(tmp_path, receiver, **labels)
        async with bind(desk(Shop(tmp_path / "shop.db")).build(), settings=given) as app:
            run = await app.run(LOST)

    assert len(receiver.spans) >= 8
    for span in receiver.spans:
        said = span.attributes
        assert (said["user.id"], said["session.id"]) == ("olga", run.session)
        assert said["langfuse.trace.tags"] == ["support", "night-shift"]
        assert (said["langfuse.release"], said["langfuse.environment"]) == ("2026.11", "staging")
        assert said["langfuse.trace.name"] == "support"
        assert span.resource["deployment.environment.name"] == "staging"
    marked = [span.id for span in receiver.spans if span.attributes.get("langfuse.internal.is_app_root")]
    assert marked == [root_of(run.id)]
    assert receiver.one("orders").attributes["langfuse.version"]
    sent = {path: headers for path, headers, _ in receiver.requests}
    headers = sent["/api/public/otel/v1/traces"]
    assert headers["authorization"] == "Basic cGstbGYtdGVzdDpzay1sZi10ZXN0"
    assert headers["content-encoding"] == "gzip" and headers["x-langfuse-ingestion-version"] == "4"


async def test_decisions_are_told_with_their_reasons(tmp_path: Path) -> None:
    """Which routes were tried, who was chosen, what context was given and left out: all in the trace."""
    with Receiver() as receiver:
        async with bind(busy().build(), settings=traced(tmp_path, receiver), models=Scripted()) as app:
            await app.run(Ticket(text="anything"))

    plan = receiver.one("plan")
    assert [each["route"] for each in json.loads(plan.meta("candidates"))] == ["nothing", "everything"]
    assert plan.meta("route") == "everything" and "quick: quick" in json.loads(plan.meta("chosen"))
    assert plan.meta("reason") == "Everybody looks at it."
    (draft, again) = [span for span in receiver.spans if span.name == "drafting"]
    given, omitted = json.loads(draft.meta("context_given")), json.loads(draft.meta("context_omitted"))
    assert given[1]["from"] == ["quick", "slow", "flaky"]
    assert [each["task"] for each in omitted] == ["shaky"]
    assert "It repeats" in again.meta("feedback")
    gates = [span.meta("verdict") for span in receiver.spans if span.name == "gate"]
    assert gates == ["revise", "accept"]
    broken = receiver.one("shaky")
    assert broken.error == "shaky broke: RuntimeError." and broken.meta("status") == "failed"


async def test_a_model_call_is_a_generation_with_tokens_and_cost(tmp_path: Path) -> None:
    """Model, tokens, the rendered prompt and the reply are under Langfuse's and OpenTelemetry's names."""
    with Receiver() as receiver:
        async with bind(busy().build(), settings=traced(tmp_path, receiver), models=Scripted()) as app:
            await app.run(Ticket(text="anything"))

    call = receiver.one("scripted-1")
    assert call.type == "GENERATION" and call.parent == receiver.one("quick").id
    said = call.attributes
    assert said["langfuse.observation.model.name"] == said["gen_ai.response.model"] == "scripted-1"
    assert json.loads(said["langfuse.observation.usage_details"]) == {"input": 7, "output": 5}
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (7, 5)
    assert said["langfuse.observation.input"] == "Where is the parcel?"
    assert "canary-8841 of a model" in said["gen_ai.output.messages"]


async def test_a_run_joins_the_trace_of_its_caller(tmp_path: Path) -> None:
    """What another program asked for is shown below its span, and keeps the caller's names."""
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with Receiver() as receiver:
        async with bind(desk(Shop(tmp_path / "shop.db")).build(), settings=traced(tmp_path, receiver)) as app:
            inbound = traceparent(trace, span)
            started = await app.engine.start(LOST, app.user, trace=inbound)
            again = await app.stores.runs.get(started.id)
            await app.engine.advance(started.id)

    assert again.trace == inbound
    assert {each.trace for each in receiver.spans} == {trace}
    assert receiver.one("support").parent == span
    for each in receiver.spans:
        assert "langfuse.trace.name" not in each.attributes
        assert "langfuse.internal.is_app_root" not in each.attributes


async def test_the_trace_goes_on_at_the_tool_servers(tmp_path: Path) -> None:
    """A tool server reads in `_meta` which span its call is, before that span was sent."""
    book = tmp_path / "book.jsonl"
    command = [sys.executable, "-m", "tests.integration.traced_server", str(book)]
    server = ToolServer.stdio("traced", command)

    @server.tool()
    async def look(what: str) -> str:
        """Reads something."""
        raise AssertionError

    @server.tool(effect="once", key="key")
    async def change(what: str, key: str = "") -> str:
        """Changes something."""
        raise AssertionError

    async def work(ticket: Ticket, doors: Doors) -> str:
        await doors.call(look, what="it")
        return await doors.call(change, what="it")

    worker = Agent("worker", "Works.", run=work, tools=[look, change])

    def always(ticket: Ticket) -> Plan | None:
        """Always."""
        return Plan(Task(worker, ticket))

    graph = Supervisor(
        "traced",
        request=Ticket,
        response=Reply,
        agents=[worker],
        routes=[always],
        answer=lambda ticket, findings: Reply(text="Done."),
        policy=Policy().allow(worker, look).allow(worker, change),
        examples=[LOST],
    ).build()
    with Receiver() as receiver:
        async with bind(graph, settings=traced(tmp_path, receiver)) as app:
            run = await app.run(LOST)

    assert run.outcome == "resolved", run.reason
    came = [json.loads(line) for line in book.read_text().splitlines()]
    spans = {name: receiver.one(f"traced/{name}").id for name in ("look", "change")}
    assert [(each["tool"], each["meta"]["traceparent"]) for each in came] == [
        (name, traceparent(trace_of(run.id), spans[name])) for name in ("look", "change")
    ]


def leaky(shop: Shop) -> Supervisor[Ticket, Reply]:
    """A desk whose tool answers with a secret, and one agent of which breaks with one in its words."""
    server = ToolServer("files")

    @server.tool()
    async def read_file(name: str) -> str:
        """Reads a file."""
        return f"{PLAIN} password: {SECRET}"

    @server.tool()
    async def break_down(name: str) -> str:
        """Breaks."""
        raise RuntimeError(f"no access with {SECRET}")

    async def look(ticket: Ticket, doors: Doors) -> str:
        return await doors.call(read_file, name=ticket.text)

    async def fail(ticket: Ticket, doors: Doors) -> str:
        with suppress(InterlockError):
            await doors.call(break_down, name="x")
        await doors.think(f"The key is {SECRET}, the word is {PLAIN}")
        raise RuntimeError(f"{SECRET} and {PLAIN}")

    reader = Agent("reader", "Reads.", run=look, tools=[read_file])
    breaker = Agent("breaker", "Breaks.", run=fail, tools=[break_down], attempts=1)

    def both(ticket: Ticket) -> Plan | None:
        """Both."""
        return Plan(Task(reader, ticket), Task(breaker, ticket))

    return Supervisor(
        "leaky",
        request=Ticket,
        response=Reply,
        agents=[reader, breaker],
        routes=[both],
        answer=lambda ticket, findings: Reply(text="We looked into it."),
        policy=Policy().allow(reader, read_file).allow(breaker, break_down),
        examples=[LOST],
    )


@pytest.mark.parametrize("mode", ["none", "redacted", "full"])
async def test_no_secret_leaves_and_content_only_as_the_setting_says(mode: str, tmp_path: Path) -> None:
    """Secrets of tickets, answers, prompts and exceptions stay; other words leave, but not with `none`."""
    long = "and so on, " * 400
    text = f"{PLAIN}: my key is {SECRET}. {long} the-end"
    with Receiver() as receiver:
        given = traced(tmp_path, receiver, trace_content=mode)
        async with bind(leaky(Shop(tmp_path / "s.db")).build(), settings=given, models=Scripted()) as app:
            run = await app.run(Ticket(text=text))

    assert run.state == "completed"
    assert len(receiver.spans) >= 9 and receiver.scores
    assert SECRET not in receiver.everything
    assert (PLAIN in receiver.everything) == (mode != "none")
    assert ("the-end" in receiver.everything) == (mode == "full")
    root = receiver.one("leaky").attributes
    assert root["interlock.input.bytes"] > 4_000
    assert ("langfuse.observation.input" in root) == (mode != "none")
    if mode == "redacted":
        assert "characters)" in root["langfuse.observation.input"]
    assert receiver.one("breaker").type == "AGENT"
    if mode == "none":
        assert "canary-8841" not in receiver.everything
        assert not [s for s in receiver.spans if "langfuse.observation.status_message" in s.attributes]


async def record_of(folder: Path, **more: Any) -> tuple[Run, list[tuple[str, str]], list[str], int]:
    """A run of the small desk: its row, the kinds in its record, what was said of tracing, and drops."""
    folder.mkdir(exist_ok=True)
    async with bind(desk(Shop(folder / "shop.db")).build(), settings=settings(folder, **more)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)
    assert app.traces is None or more
    said, dropped = (app.traces.problems, app.traces.dropped) if app.traces else ([], 0)
    return run, [(line.event.kind, line.event.task) for line in lines], said, dropped


KEYS = {"langfuse_public_key": "pk", "langfuse_secret_key": "sk"}


async def test_a_refusing_backend_costs_the_run_nothing_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A backend that answers 401 loses its spans and scores; the record is the same, and one line is said."""
    _, usual, _, _ = await record_of(tmp_path / "usual")
    with Receiver(status=401) as receiver, caplog.at_level(logging.WARNING, "interlock"):
        run, kinds, said, dropped = await record_of(tmp_path / "it", langfuse_base_url=receiver.url, **KEYS)

    assert (run.state, run.outcome, kinds) == ("completed", "resolved", usual)
    assert len(said) == 1 and "401 (are the keys right?)" in said[0] and receiver.url in said[0]
    assert [record.getMessage() for record in caplog.records] == said
    assert dropped >= 10 and not receiver.spans
    assert len(receiver.requests) <= 2, "what is refused for good is not tried again"


async def test_a_dead_backend_costs_the_run_nothing_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody listens: everything is dropped when the program ends, without waiting for another try."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with caplog.at_level(logging.WARNING, "interlock"):
        run, _, said, dropped = await record_of(tmp_path / "it", langfuse_base_url=url, **KEYS)

    assert run.outcome == "resolved"
    assert len(said) == 1 and "cannot be reached" in said[0]
    assert [record.getMessage() for record in caplog.records] == said
    assert dropped >= 10


async def test_a_slow_backend_holds_up_neither_the_run_nor_for_long_the_end(tmp_path: Path) -> None:
    """The run is over before the backend has answered; the program's end waits two seconds at most."""
    with Receiver(seconds=60) as receiver:
        folder = tmp_path
        given = settings(folder, langfuse_base_url=receiver.url, **KEYS)
        async with bind(desk(Shop(folder / "shop.db")).build(), settings=given) as app:
            run = await app.run(LOST)
            answered_by_then = len(receiver.requests)
            begun = asyncio.get_running_loop().time()
        waited = asyncio.get_running_loop().time() - begun

    assert run.outcome == "resolved" and answered_by_then == 0
    assert app.traces is not None
    (said,) = app.traces.problems
    assert "too slow when the program ended" in said
    assert waited < 7, "the bound is two seconds; the rest is a busy machine's"


async def test_a_busy_backend_is_asked_again(tmp_path: Path) -> None:
    """A backend that answers 503 once gets the same spans a moment later, and nothing is lost."""
    with Receiver(status=503) as receiver:
        given = settings(tmp_path, otlp_endpoint=receiver.url)
        async with bind(desk(Shop(tmp_path / "shop.db")).build(), settings=given) as app:
            run = await app.run(LOST)
            await asyncio.to_thread(receiver.wait, lambda: len(receiver.requests) == 1)
            receiver.status = 200
            await asyncio.to_thread(receiver.wait, lambda: bool(receiver.spans))

    assert app.traces is not None and app.traces.dropped == 0
    check_whole(receiver.spans, run)


async def test_any_receiver_of_otlp_is_served_beside_langfuse(tmp_path: Path) -> None:
    """Both get every span, each with its own headers; only Langfuse gets scores."""
    with Receiver() as langfuse, Receiver() as other:
        more = {"otlp_endpoint": other.url, "otlp_headers": {"x-team": "blue"}}
        async with bind(
            desk(Shop(tmp_path / "s.db")).build(), settings=traced(tmp_path, langfuse, **more)
        ) as app:
            await app.run(LOST)

    assert {span.id for span in langfuse.spans} == {span.id for span in other.spans} != set()
    (path, headers, _), *rest = other.requests
    assert (path, headers["x-team"], rest) == ("/v1/traces", "blue", [])
    assert "authorization" not in headers
    assert len(langfuse.scores) == 2 and not other.scores


async def test_verdicts_and_outcomes_are_scores_with_names_of_their_own(tmp_path: Path) -> None:
    """The gate's verdict hangs on its span, the outcome on the trace; both are named by the record."""
    with Receiver() as receiver:
        async with bind(desk(Shop(tmp_path / "s.db")).build(), settings=traced(tmp_path, receiver)) as app:
            run = await app.run(LOST)
            lines = {line.event.id for line in await app.stores.record.lines(run.id)}

    gate, outcome = receiver.scores
    assert (gate["name"], gate["value"], gate["dataType"]) == ("gate", "accept", "CATEGORICAL")
    assert gate["observationId"] == receiver.one("gate").id
    assert (outcome["name"], outcome["value"]) == ("outcome", "resolved")
    assert "observationId" not in outcome
    assert {gate["id"], outcome["id"]} <= lines
    assert gate["traceId"] == outcome["traceId"] == trace_of(run.id)


async def test_a_run_canceled_while_it_waits_is_told_to_its_end(tmp_path: Path) -> None:
    """What was open when somebody canceled is shown as not done, and the question as withdrawn."""
    shop = Shop(tmp_path / "shop.db", total="250")
    with Receiver() as receiver:
        given = traced(tmp_path, receiver)
        async with bind(desk(shop).build(), settings=given) as app:
            run = await app.run(LOST)
        async with bind(desk(shop).build(), settings=given) as app:
            run = await app.cancel(run.id)

    check_whole(receiver.spans, run)
    left = receiver.one("returns")
    assert left.attributes["langfuse.observation.status_message"] == "it was not done when the run ended"
    assert receiver.one("question: approve").meta("came_to") == "withdrawn"
    assert receiver.one("support").meta("state") == "canceled"
    assert receiver.scores[-1]["value"] == "canceled"


async def test_what_a_killed_worker_did_not_send_is_sent_by_the_next(tmp_path: Path) -> None:
    """A worker that ends without sending leaves its part to whoever looks at the run next."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        started = await app.engine.start(LOST, app.user)
        async with app.engine.hold(started.id) as (fence, context):
            assert fence == 1 and context.run == started.id
    with Receiver() as receiver:
        async with bind(desk(shop).build(), settings=traced(tmp_path, receiver)) as app:
            run = await app.resume(started.id)
        check_whole(receiver.spans, run)
        sent = len(receiver.spans)
        async with bind(desk(shop).build(), settings=traced(tmp_path, receiver)) as app:
            await app.resume(started.id)

    assert len(receiver.spans) == sent, "a run that was sent to its end is not sent again"


async def test_a_long_run_is_shown_while_it_works(tmp_path: Path) -> None:
    """Spans that are complete leave while the run goes on."""
    go_on = asyncio.Event()

    async def quick(ticket: Ticket, doors: Doors) -> Order:
        return Order(id="A-1", total=1)  # type: ignore[arg-type]

    async def slow(ticket: Order, doors: Doors) -> str:
        await go_on.wait()
        return "done"

    first, last = Agent("first", "Is quick.", run=quick), Agent("last", "Is slow.", run=slow)

    def both(ticket: Ticket) -> Plan | None:
        """One after the other."""
        return Plan(Task(last, Task(first, ticket).output))

    graph = Supervisor(
        "long",
        request=Ticket,
        response=Reply,
        agents=[first, last],
        routes=[both],
        answer=lambda ticket, findings: Reply(text="Done."),
        examples=[LOST],
    ).build()
    with Receiver() as receiver:
        async with bind(graph, settings=traced(tmp_path, receiver)) as app:
            running = asyncio.create_task(app.run(LOST))
            await asyncio.to_thread(receiver.wait, lambda: "first" in [s.name for s in receiver.spans])
            early = [span.name for span in receiver.spans]
            go_on.set()
            run = await running

    assert "last" not in early and "long" not in early
    check_whole(receiver.spans, run)


async def test_a_question_of_a_body_and_a_delivery_are_part_of_the_trace(tmp_path: Path) -> None:
    """A clarifying question, an agent that gives up, a skipped task and the delivery are all shown."""
    with Receiver() as receiver:
        async with bind(asking().build(), settings=traced(tmp_path, receiver)) as app:
            run = await app.run(Ticket(text="anything"))
            (question,) = await app.questions(run.id)
            await app.answer(question.id, value="the blue one")
            run = await app.resume(run.id)

    check_whole(receiver.spans, run)
    assert receiver.one("question: clarify").parent == receiver.one("asker").id
    gave_up = receiver.one("archive")
    assert (gave_up.meta("status"), gave_up.meta("needs")) == ("gave_up", "a person with the archive")
    assert gave_up.attributes["langfuse.observation.level"] == "WARNING" and gave_up.error is None
    assert receiver.one("task skipped").attributes["langfuse.observation.level"] == "WARNING"
    assert receiver.one("desk/send").parent == root_of(run.id)


async def test_a_supervisor_inside_a_task_is_shown_inside_it(tmp_path: Path) -> None:
    """Plans, agents and gates of three floors are nested as they worked; the top one's response counts."""
    with Receiver() as receiver:
        graph = house(Shop(tmp_path / "shop.db"), floors=2).build()
        async with bind(graph, settings=traced(tmp_path, receiver)) as app:
            run = await app.run(LOST)

    check_whole(receiver.spans, run)
    names = {span.id: span.name for span in receiver.spans}
    below = Counter((names.get(span.parent, ""), span.name) for span in receiver.spans)
    for outer, inner in (("tower", "house"), ("house", "desk"), ("desk", "orders"), ("desk", "returns")):
        assert below[outer, inner] == below[outer, "plan"] == below[outer, "gate"] == 1, below
    assert json.loads(receiver.one("tower").attributes["langfuse.observation.output"]) == run.response


async def test_a_graph_written_by_hand_is_a_trace_as_well(tmp_path: Path) -> None:
    """Agents and gates that are nodes of somebody's own graph are shown below the run."""
    built, policy = by_hand(Shop(tmp_path / "shop.db"))
    with Receiver() as receiver:
        given = traced(tmp_path, receiver)
        async with bind(built, policy=policy, name="mine", settings=given) as app:
            run = await app.run({"email": "ann@example.com"})
            (question,) = await app.questions(run.id)
            await app.answer(question.id, yes=True)
            run = await app.resume(run.id)

    check_whole(receiver.spans, run)
    root = receiver.one("mine")
    assert {receiver.one(name).parent for name in ("orders", "returns", "gate")} == {root.id}
    assert json.loads(root.attributes["langfuse.observation.output"]) == run.response


async def test_a_run_canceled_while_it_is_planned_is_whole(tmp_path: Path) -> None:
    """A route that asks a person and never gets its answer leaves a plan that came to nothing."""
    helper = Agent("helper", "Helps.", run=_never)

    async def asking_route(ticket: Ticket, doors: Doors) -> Plan | None:
        """Asks first."""
        await doors.ask("Shall I?")
        return Plan(Task(helper, ticket))

    graph = Supervisor(
        "unsure",
        request=Ticket,
        response=Reply,
        agents=[helper],
        routes=[asking_route],
        answer=lambda ticket, findings: Reply(text="Done."),
        examples=[LOST],
    ).build()
    with Receiver() as receiver:
        async with bind(graph, settings=traced(tmp_path, receiver)) as app:
            run = await app.run(LOST)
            run = await app.cancel(run.id)

    check_whole(receiver.spans, run)
    plan = receiver.one("plan")
    assert plan.meta("chosen") == "nobody"
    assert receiver.one("question: clarify").parent == plan.id


async def _never(ticket: Ticket, doors: Doors) -> str:
    """Is not reached."""
    raise AssertionError
