"""Writes docs/benchmarks.md: goals, figures, and what stands behind them."""

# ruff: noqa: E501  (rows of tables are one line each)

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench import desk
from tests.bench.a2a import BARE, GRAPH, OURS, RUN, RoundTrips
from tests.bench.inference import WORDS, Inference
from tests.bench.measure import Times, ratio
from tests.bench.spans import Spans
from tests.bench.storage import Stored
from tests.bench.waits import Waits


@dataclass(frozen=True, slots=True)
class Results:
    """Everything one run of the benchmarks measured."""

    cores: int
    cpu: Mapping[str, Times]
    """Works of `__main__`, by name."""
    rounds: int
    runs: int
    waits: Waits
    stored: Stored
    bare_stored: Stored
    stored_runs: int
    spans: Spans
    inference: Inference
    a2a: RoundTrips
    starts_cpu: Mapping[str, Times]
    starts_wall: Mapping[str, Times]


def page(results: Results) -> str:
    """The whole page."""
    return (
        "\n\n".join(
            [
                _head(results),
                _cpu(results),
                _waits(results),
                _stored(results),
                _inference(results),
                _spans(results),
                _a2a(results),
                _starts(results),
            ]
        )
        + "\n"
    )


def _head(results: Results) -> str:
    return f"""# Benchmarks

Made by `make bench` (`python -m tests.bench`), in one run, on a machine with {results.cores} cores that may have had
other work. What is compared takes turns in every round, and the figure is the median of the rounds' ratios, so the
figures are ratios and counts of this one run. Milliseconds stand here only for scale.

The plan is the same everywhere: A and B side by side, then C, which needs both, then D."""


def _cpu(results: Results) -> str:
    cpu = results.cpu
    rows = [
        ("SQLite", "0", "interlock, sqlite, 0", "langgraph, sqlite, 0", 1.5),
        ("SQLite", "1", "interlock, sqlite, 1", "langgraph, sqlite, 1", 1.5),
        ("memory", "0", "interlock, memory, 0", "langgraph, memory, 0", 2.0),
        ("memory", "1", "interlock, memory, 1", "langgraph, memory, 1", 2.0),
    ]
    lines = [
        f"| {where} | {calls} | {ratio(cpu, ours, theirs):.2f} | {goal:.1f} | {_met(ratio(cpu, ours, theirs), goal)} "
        f"| {_ms(cpu[ours].median / desk.HOPS)} / {_ms(cpu[theirs].median / desk.HOPS)} |"
        for where, calls, ours, theirs, goal in rows
    ]
    return f"""## CPU per hop, over bare LangGraph

CPU time of the process, all threads and the kernel's share included, of whole runs divided by their {desk.HOPS} hops;
{results.rounds} rounds of {results.runs} runs each. The bodies do next to nothing, so this is all overhead.

| stored in | tool calls per hop | ratio | goal, at most | met | for scale, ms: Interlock / LangGraph |
|---|---|---|---|---|---|
{chr(10).join(lines)}

- Interlock: a whole run with journal, events, their chain, policy and gate on. On SQLite that is everything `bind`
  does: the run is stored, claimed under a lease, planned, executed, judged, signed and let go.
- LangGraph: the same plan with static edges and one subgraph of one node for each agent, `durability="sync"`. It
  keeps checkpoints and nothing else. On SQLite: `AsyncSqliteSaver`, with `synchronous = NORMAL` as Interlock sets it
  for checkpoints (Interlock's own tables are written with `FULL`). A tool call goes over the same MCP server and a
  long-lived client.
- "In memory" keeps Interlock's journal, events and hash chain in Python objects and checkpoints in LangGraph's
  `InMemorySaver`: no disk, and so no lease, run row and signature either. That is no way to run it; it shows the
  share of the work that is not storage."""


def _waits(results: Results) -> str:
    waits, ideal = results.waits, desk.IDEAL_S
    beside = waits.beside_slow / ideal
    return f"""## Waiting: wall time over the ideal path

Each agent asks a model ({_ms(desk.MODEL_S)} ms), a tool ({_ms(desk.TOOL_S)} ms) and the model again; the ideal path of
the plan takes {_ms(ideal)} ms. The slow task takes {desk.SLOW_S:g} s and has nothing to do with the others.

| | over the ideal | goal, at most | met | over plain asyncio in the same rounds | for scale, ms |
|---|---|---|---|---|---|
| the run | {waits.run / ideal:.2f} | 1.10 | {_met(waits.run / ideal, 1.1)} | {waits.over_plain:.2f} | {_ms(waits.run)} |
| A to D while the slow task runs | {beside:.2f} | 1.10 | {_met(beside, 1.1)} | {waits.beside_over_plain:.2f} | {_ms(waits.beside_slow)} |
| the run with the slow task, over {desk.SLOW_S:g} s | {waits.with_slow / desk.SLOW_S:.2f} | 1.10 | {_met(waits.with_slow / desk.SLOW_S, 1.1)} | | {_ms(waits.with_slow)} |

Plain asyncio is the same sleeps without anything around them ({_ms(waits.plain)} ms here): what it takes beyond the
ideal is the machine's own."""


def _stored(results: Results) -> str:
    tables = sorted(results.stored.rows.items(), key=lambda item: -item[1])
    rows = "\n".join(f"| {table} | {count:g} |" for table, count in tables)
    return f"""## Stored per run

Growth of the database file over {results.stored_runs} runs with one tool call per hop, divided by the runs:
**{results.stored.bytes / 1024:.1f} KiB per run**, {results.stored.bytes / results.bare_stored.bytes:.2f} times bare
LangGraph's checkpoints ({results.bare_stored.bytes / 1024:.1f} KiB) of the same plan. Rows per run:

| table | rows |
|---|---|
{rows}"""


def _inference(results: Results) -> str:
    it = results.inference
    return f"""## What a model call costs in process

CPU of the process per call of {len(WORDS):,} characters, over the same call made straight to a provider's chat model
that answers at once ({it.direct_ms:.2f} ms). What a transaction costs is not in it: a task's calls share one.

| what is before the provider | ms more | goal, at most | met |
|---|---|---|---|
| the inference gateway: route, budget, checks, price | {it.gateway_ms:.2f} | | |
| the model door too: redaction, journal, record | {it.door_ms:.2f} | | |
| `RoutedChat` too: LangChain's interface once more | {it.chat_ms:.2f} | 1.0 | {_met(it.chat_ms, 1.0)} |"""


def _spans(results: Results) -> str:
    it = results.spans
    return f"""## What tracing costs

Spans are read off the record after the fact, in a thread of their own, and sent to a receiver in another process.

| what | figure |
|---|---|
| a traced run over an untraced one, by the clock, until the run is done | {it.wall:.2f} |
| the same in CPU of the process, with what is sent afterwards | {it.cpu:.2f} |
| an event of the record, read and encoded | {it.event_us:.0f} us of CPU |
| a span, the same work | {it.span_us:.0f} us of CPU |
| of one run of this plan | {it.events} events, {it.spans} spans, {it.bytes:,} bytes before compression |"""


def _a2a(results: Results) -> str:
    it = results.a2a
    return f"""## A2A round trip

A blocking call over JSON-RPC of an agent that repeats what it is told, CPU of client and server together.

| our server over | ratio | goal, at most | met | for scale, ms |
|---|---|---|---|---|
| the SDK's server with nothing behind it and nothing stored | {it.over_bare:.2f} | 2.0 | {_met(it.over_bare, 2.0)} | {_ms(it.times[OURS].median)} over {_ms(it.times[BARE].median)} |
| the SDK's server with a graph of one node and SQLite checkpoints | {it.over_graph:.2f} | | | {_ms(it.times[GRAPH].median)} |
| the same run in this process, without a server | {it.over_run:.2f} | | | {_ms(it.times[RUN].median)} |

A task of ours is a whole run: stored, planned, judged, recorded and signed. The last row is what the server adds to it."""


def _starts(results: Results) -> str:
    names = {
        "help": "`python -m interlock --help`",
        "first answer": "first answer: new process, new database, first run finished",
    }
    lines = [
        f"| {told} | {ratio(results.starts_cpu, name, 'imports'):.2f} | {_ms(results.starts_cpu[name].median)} "
        f"| {_ms(results.starts_wall[name].median)} |"
        for name, told in names.items()
    ]
    return f"""## Starting

CPU time of whole processes, over that of a process that only does `{desk.IMPORTS}`.

| | ratio | for scale, ms CPU | for scale, ms by the clock |
|---|---|---|---|
{chr(10).join(lines)}"""


def _met(figure: float, goal: float) -> str:
    return "yes" if round(figure, 2) <= goal else "**no**"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.05 else f"{seconds * 1000:.1f}".removesuffix(".0")
