"""Langfuse beyond spans: scores through its own client, and prompts with the file to fall back on."""

import asyncio
import logging
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Plan, Supervisor, Task, bind
from interlock.core.trace import trace_of
from interlock.errors import BadInput
from interlock.observability import langfuse
from interlock.observability.exporting import Otlp
from interlock.observability.langfuse import LangfusePrompts, post, score
from interlock.observability.traced import Span
from interlock.settings import Settings
from tests.desk import Refund, Reply, Ticket, settings
from tests.prompts import Actor, write_prompt
from tests.receiver import Receiver


def keyed(folder: Path, url: str, **more: Any) -> Settings:
    """Settings with keys for a Langfuse at this place."""
    return settings(
        folder, langfuse_base_url=url, langfuse_public_key="pk", langfuse_secret_key="sk-lf-1", **more
    )


def free_url() -> str:
    """A place where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_scores_of_an_evaluation_reach_their_runs(tmp_path: Path) -> None:
    """Categories, yes or no, and measures arrive as Langfuse's types, at the traces of their runs."""
    made = [
        score("r-1", "outcome", "resolved", comment="as it should", key="nightly"),
        score("r-1", "forbidden tool", True, key="nightly"),
        score("r-2", "grounding", 0.75, key="nightly"),
    ]
    with Receiver() as receiver:
        said = post(keyed(tmp_path, receiver.url, trace_environment="ci"), made)

    assert said == ""
    first, second, third = receiver.scores
    assert (first["dataType"], first["value"], first["comment"]) == (
        "CATEGORICAL",
        "resolved",
        "as it should",
    )
    assert (second["dataType"], second["value"]) == ("BOOLEAN", 1.0)
    assert (third["dataType"], third["value"]) == ("NUMERIC", 0.75)
    assert first["traceId"] == trace_of("r-1") and third["traceId"] == trace_of("r-2")
    assert {each["environment"] for each in receiver.scores} == {"ci"}
    ((path, headers, _),) = receiver.requests
    assert path == "/api/public/scores" and headers["authorization"].startswith("Basic ")


def test_comments_of_scores_leave_as_the_setting_says(tmp_path: Path) -> None:
    """A comment may quote a customer: it is redacted, and without content it stays here."""
    made = [score("r-1", "right", False, comment="she wrote: password: hunter22")]
    with Receiver() as receiver:
        for mode in ("redacted", "none"):
            post(keyed(tmp_path, receiver.url, trace_content=mode), made)

    assert [each.get("comment") for each in receiver.scores] == ["she wrote: [redacted]", None]


def test_a_score_posted_twice_is_one_score() -> None:
    """The same judgement has the same name every time; another run, name or evaluation has another."""
    first = score("r-1", "grounding", 0.5, key="a")
    assert score("r-1", "grounding", 0.9, key="a").id == first.id
    others = [("r-2", "grounding", "a"), ("r-1", "loop", "a"), ("r-1", "grounding", "b")]
    assert len({score(run, name, 1, key=key).id for run, name, key in others} | {first.id}) == 4


def test_a_score_of_a_called_run_hangs_on_its_callers_trace() -> None:
    """Where a run belongs to another program's trace, so do its scores."""
    inbound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert score("r-1", "x", 1, inbound=inbound).trace == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(("status", "words"), [(401, "401 (are the keys right?)"), (500, "500")])
def test_scores_that_are_refused_are_told_in_one_sentence(status: int, words: str, tmp_path: Path) -> None:
    """An evaluation is told why its scores did not arrive, without the backend's own words or a key."""
    with Receiver(status=status) as receiver:
        said = post(keyed(tmp_path, receiver.url), [score("r-1", "x", 1)])

    assert said == f"scores cannot be sent to {receiver.url}: it answered {words}."


def test_scores_to_nobody_are_told_or_not_meant(tmp_path: Path) -> None:
    """A dead backend is told; without keys there is nothing to tell."""
    assert "cannot be reached" in post(keyed(tmp_path, free_url()), [score("r-1", "x", 1)])
    assert post(settings(tmp_path), [score("r-1", "x", 1)]) == ""


async def test_prompts_come_from_langfuse_under_their_label(tmp_path: Path) -> None:
    """The label's version is used and numbered; it is asked for once a minute, not once a task."""
    with Receiver() as receiver:
        receiver.prompts["agents/returns", "production"] = ("Decide on refunds.", 7)
        receiver.prompts["agents/returns", "staging"] = ("Try something.", 8)
        prompts = LangfusePrompts(keyed(tmp_path, receiver.url))
        got = [await prompts.text("agents/returns", "from the file") for _ in range(3)]
        await prompts.close()
        other = LangfusePrompts(keyed(tmp_path, receiver.url, prompt_label="staging"))
        staged = await other.text("agents/returns", "from the file")
        await other.close()

    assert got == [("Decide on refunds.", "langfuse-7")] * 3
    assert staged == ("Try something.", "langfuse-8")
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("kept", [None, [{"role": "user", "content": "hi"}], "  "])
async def test_a_prompt_that_is_no_text_comes_from_its_file(kept: Any, tmp_path: Path) -> None:
    """A prompt Langfuse does not have, a conversation, or an empty one never replaces the file."""
    with Receiver() as receiver:
        if kept is not None:
            receiver.prompts["returns", "production"] = (kept, 3)
        prompts = LangfusePrompts(keyed(tmp_path, receiver.url))
        got = await prompts.text("returns", "from the file")
        await prompts.close()

    assert got == ("from the file", "")
    assert len(receiver.requests) == 1


async def test_a_dead_langfuse_leaves_the_file(tmp_path: Path) -> None:
    """Nobody listens: the file is used."""
    dead = LangfusePrompts(keyed(tmp_path, free_url()))
    got = await dead.text("returns", "from the file")
    await dead.close()

    assert got == ("from the file", "")


async def test_a_slow_langfuse_costs_one_wait_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is used, it is said once, and it is not asked again for a while."""
    with Receiver(seconds=60) as receiver, caplog.at_level(logging.WARNING, "interlock"):
        slow = LangfusePrompts(keyed(tmp_path, receiver.url))
        got = [await slow.text("returns", "from the file") for _ in range(5)]
        await slow.close()

    assert got == [("from the file", "")] * 5
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        f"prompt returns cannot be read from {receiver.url}"
    ]


async def test_a_prompt_read_once_outlives_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Langfuse is away, agents keep the prompt they had, and get the next one when it is back."""
    monkeypatch.setattr(langfuse, "_KEPT_S", 0.0)
    with Receiver() as receiver:
        receiver.prompts["returns", "production"] = ("First.", 1)
        prompts = LangfusePrompts(keyed(tmp_path, receiver.url))
        got = [await prompts.text("returns", "file")]
        receiver.status = 503
        got.append(await prompts.text("returns", "file"))
        receiver.status, receiver.prompts["returns", "production"] = 200, ("Second.", 2)
        got.append(await prompts.text("returns", "file"))
        await prompts.close()

    assert got == [("First.", "langfuse-1"), ("First.", "langfuse-1"), ("Second.", "langfuse-2")]


def thinker(folder: Path) -> Any:
    """One agent with a prompt, asked once."""
    agent = Agent(
        "returns",
        "Decides on a refund.",
        input=Ticket,
        output=Refund,
        prompt=write_prompt(folder, "From the file: {input.text}", "returns.md"),
    )

    def always(ticket: Ticket) -> Plan:
        """Always."""
        return Plan(Task(agent, ticket))

    return Supervisor(
        "thinker",
        request=Ticket,
        response=Reply,
        agents=[agent],
        routes=[always],
        answer=lambda ticket, findings: Reply(text="Done."),
        examples=[Ticket(text="x")],
    ).build()


@pytest.mark.parametrize("there", [True, False])
async def test_an_agent_thinks_with_langfuses_prompt_or_with_its_file(there: bool, tmp_path: Path) -> None:
    """The model is told Langfuse's words, and the generation links to their version; else the file's."""
    model = Actor([{"answer": {"order_id": "A-1", "amount": "5"}}])
    with Receiver() as receiver:
        if there:
            receiver.prompts["returns", "production"] = ("From Langfuse: {input.text}", 7)
        given = keyed(tmp_path, receiver.url, prompts_from="langfuse")
        async with bind(thinker(tmp_path), settings=given, models=model) as app:
            run = await app.run(Ticket(text="it is broken"))

    assert run.outcome == "resolved", run.reason
    source = "Langfuse" if there else "the file"
    assert f"From {source}: it is broken" in str(model.heard[0].messages[0].content)
    call = receiver.one("actor").attributes
    assert call["langfuse.observation.prompt.name"] == call["gen_ai.prompt.name"] == "returns"
    assert call.get("langfuse.observation.prompt.version") == (7 if there else None)


def test_prompts_from_langfuse_need_its_keys(tmp_path: Path) -> None:
    """The setting without keys is refused when a graph is bound, not when a prompt is needed."""
    with pytest.raises(BadInput, match="a key is missing: set LANGFUSE_PUBLIC_KEY"):
        bind(thinker(tmp_path), settings=settings(tmp_path, prompts_from="langfuse"))


async def test_tasks_that_start_together_ask_for_a_prompt_once(tmp_path: Path) -> None:
    """Ten tasks at the same time are one request."""
    with Receiver() as receiver:
        receiver.prompts["returns", "production"] = ("Text.", 1)
        prompts = LangfusePrompts(keyed(tmp_path, receiver.url))
        got = await asyncio.gather(*(prompts.text("returns", "file") for _ in range(10)))
        await prompts.close()

    assert set(got) == {("Text.", "langfuse-1")} and len(receiver.requests) == 1


def test_spans_with_much_content_are_sent_in_several_requests() -> None:
    """What would be too large for one request is divided; nothing is lost, and nothing sent twice."""
    now = datetime.now(UTC)
    spans = [Span("a" * 32, f"{n:016x}", "", f"n{n}", now, now, {"x": "y" * 500_000}) for n in range(1, 21)]
    with Receiver() as receiver:
        otlp = Otlp(receiver.url, {}, "")
        otlp(spans)
        otlp.close()

    assert [span.name for span in receiver.spans] == [span.name for span in spans]
    assert len(receiver.requests) == 4
    assert max(len(body) for _, _, body in receiver.requests) < 3_000_000
