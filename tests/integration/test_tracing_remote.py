"""One trace across A2A: our desk, and an agent of ours on another server with a database of its own."""

from collections import Counter
from pathlib import Path

import pytest

from interlock import Agent, Doors, bind
from interlock.bootstrap import Stores
from interlock.core.trace import root_of, trace_of
from tests.desk import Ticket
from tests.receiver import Receiver
from tests.remote_desk import Score, desk, scorer, settings
from tests.served import running


async def colour(ticket: Ticket, doors: Doors) -> Score:
    """Asks which colour."""
    return Score(level=str(await doors.ask("Which colour?")))


async def test_what_a_remote_agent_does_is_shown_below_the_call_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers, two databases, a question relayed between them: one trace, and each span once."""
    far = Agent("scorer", "Scores.", run=colour)
    with Receiver() as receiver:
        for name, value in (("BASE_URL", receiver.url), ("PUBLIC_KEY", "pk"), ("SECRET_KEY", "sk")):
            monkeypatch.setenv(f"LANGFUSE_{name}", value)
        async with (
            running(tmp_path / "server", far, anybody=True) as server,
            bind(desk(scorer(server.url)).build(), settings=settings(tmp_path)) as app,
        ):
            run = await app.run(Ticket(text="one"))
            (question,) = await app.questions(run.id)
            await app.answer(question.id, value="green")
            run = await app.resume(run.id)
        async with Stores.open(settings(tmp_path / "server")) as stores:
            (there,) = await stores.runs.list()

    assert run.outcome == "resolved" and there.state == "completed"
    assert {span.trace for span in receiver.spans} == {trace_of(run.id)}
    ids = Counter(span.id for span in receiver.spans)
    assert max(ids.values()) == 1
    assert [span.id for span in receiver.spans if not span.parent] == [root_of(run.id)]
    assert {span.parent for span in receiver.spans if span.parent} <= set(ids)
    sent = [span for span in receiver.spans if span.name == "a2a scorer"]
    root_there = next(span for span in receiver.spans if span.id == root_of(there.id))
    assert root_there.parent == sent[0].id and sent[0].type == "AGENT"
    here = next(span for span in receiver.spans if span.id == sent[0].parent)
    assert here.attributes["gen_ai.agent.name"] == "scorer"
    assert len(sent) == 2, "the first message, and the answer to its question"
    marked = [span.id for span in receiver.spans if span.attributes.get("langfuse.internal.is_app_root")]
    assert marked == [root_of(run.id)]
