"""The ledger: one transaction for everything that must be stored together, or not at all."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from interlock.core.events import Draft
from interlock.core.journal import Entry
from interlock.core.ports import Batch, Clock, Move
from interlock.core.questions import Question, Receipt
from interlock.core.runs import FINAL, RunState, check_move
from interlock.errors import EffectTaken, LeaseLost, NotFound, ReceiptUsed
from interlock.persistence import remote_tasks, rows, schema
from interlock.persistence.database import Database
from interlock.persistence.sqlite import insert

_j, _k, _r = schema.journal.c, schema.effect_keys.c, schema.receipts.c
_q = schema.questions.c

_RANK = {"planned": 0, "sent": 1, "unknown": 2, "confirmed": 3, "failed": 3, "compensated": 4}
"""How far an effect has come. It never goes back, and what is known for good (3, 4) is never rewritten."""
_ON_THE_WAY = ("context_loaded", "planning", "executing")
_NAME = [_j.run, _j.task, _j.attempt, _j.digest, _j.step, _j.nth]


def _put_entries():  # noqa: ANN202
    """Upserts entries; an effect only moves forward, whoever writes last."""
    put = insert(schema.journal)
    before = case(_RANK, value=_j.state, else_=0)
    after = case(_RANK, value=put.excluded.state, else_=0)
    changes = {c.name: put.excluded[c.name] for c in schema.journal.c if not c.primary_key}
    return put.on_conflict_do_update(
        index_elements=_NAME,
        set_=changes,
        where=(_j.kind != "effect") | (after > before) | ((after == before) & (before < 3)),
    )


_PUT_ENTRIES = _put_entries()
_PUT_QUESTIONS = insert(schema.questions).on_conflict_do_nothing(index_elements=["id"])
_USE_RECEIPT = (
    update(schema.receipts)
    .where(_r.id == bindparam("receipt"), _r.run == bindparam("of"), _r.used_at.is_(None))
    .values(used_at=bindparam("now"))
)
_CLAIM_KEY = insert(schema.effect_keys).on_conflict_do_nothing(index_elements=["tool", "name"])
_HOLDER = select(_k.run, _k.task).where(_k.tool == bindparam("tool"), _k.name == bindparam("name"))
_ATTEMPTS = select(_j.state, *_NAME).where(
    _j.run == bindparam("run"),
    _j.task == bindparam("task"),
    _j.operation == bindparam("tool"),
    _j.kind == "effect",
)
_TASK = (
    select(schema.journal)
    .where(_j.run == bindparam("run"), _j.task == bindparam("task"))
    .order_by(_j.position, _j.digest)
)
_RUN = select(schema.journal).where(_j.run == bindparam("run")).order_by(_j.position, _j.digest)
_runs = schema.runs.c
_or: Any = func.coalesce
# Made once: a statement that is put together at each execution costs twice as much.
_SPEND = update(schema.runs).where(_runs.id == bindparam("of")).values(spend=bindparam("spent"))
_MOVE = (
    update(schema.runs)
    .where(_runs.id == bindparam("of"))
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        outcome=_or(bindparam("came_to"), _runs.outcome),
        response=_or(bindparam("said"), _runs.response),
    )
)


class SqlLedger:
    """Implements `core.ports.Ledger`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes an open database and the clock that dates what it writes."""
        self._database = database
        self._clock = clock

    async def load(self, run: str, task: str | None = None) -> list[Entry]:
        """The journal of one task, or of the whole run, in the order of the calls."""
        return await self._database.read(lambda connection: journal(connection, run, task))

    async def commit(self, batch: Batch) -> None:
        """Stores a batch in one transaction; drafts and questions already stored are left as they are.

        Raises:
            LeaseLost: if the fencing number is not the run's.
            ReceiptUsed: if the receipt was used before.
            EffectTaken: if another run or task holds the effect key.
            WrongState: if the move is not in the table.
            NotFound: if there is no such run.
        """
        now = self._clock.now()
        await self._database.write(
            lambda connection: store(connection, batch, now), durable=_must_be_durable(batch)
        )

    async def question(self, question: str) -> Question | None:
        """The question as it stands; None if it was never asked."""
        now = self._clock.now()
        statement = select(schema.questions).where(schema.questions.c.id == question)
        row = await self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else rows.shown(rows.question_of(row), now)

    async def receipt(self, question: str) -> Receipt | None:
        """The receipt that the yes to this question left; None if there is none."""
        statement = select(schema.receipts).where(_r.question == question)
        row = await self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else rows.receipt_of(row)

    async def outcome_of(self, run: str) -> RunState:
        """The state of the run as stored.

        Raises:
            NotFound: if there is no such run.
        """
        return (await self._database.read(lambda connection: rows.locked(connection, run))).state


def journal(connection: Connection, run: str, task: str | None = None) -> list[Entry]:
    """The journal of one task, or of the whole run, in the order of the calls."""
    if task is None:
        found = connection.execute(_RUN, {"run": run})
    else:
        found = connection.execute(_TASK, {"run": run, "task": task})
    return [rows.entry_of(row) for row in found]


def _must_be_durable(batch: Batch) -> bool:
    """Says whether a power cut must not take it back: effects, people, and where a run rests.

    All else is done again from the checkpoint before it; nothing durable ever stands on what is not.
    """
    effects = any(entry.kind in ("effect", "answer") for entry in batch.entries) or bool(batch.remotes)
    people = bool(batch.questions) or batch.use_receipt is not None or batch.effect_key is not None
    moves = filter(None, (batch.move, batch.then))
    rests = batch.spend is not None or any(move.to not in _ON_THE_WAY for move in moves)
    return effects or people or rests


def store(connection: Connection, batch: Batch, now: datetime) -> None:
    """Stores a batch inside a writing transaction; see `SqlLedger.commit`."""
    run = rows.locked(connection, batch.run)
    if batch.fence is not None and batch.fence != run.fence:
        raise LeaseLost(
            f"run {batch.run} was claimed by another worker (fencing number {run.fence}); this one holds "
            f"{batch.fence} and wrote nothing. Stop it: the other one goes on."
        )
    if batch.entries:
        connection.execute(_PUT_ENTRIES, [rows.entry_values(entry) for entry in batch.entries])
    if batch.remotes:
        remote_tasks.put(connection, batch.remotes)
    if batch.questions:
        connection.execute(_PUT_QUESTIONS, [rows.question_values(question) for question in batch.questions])
    if batch.use_receipt is not None:
        _use_receipt(connection, batch.run, batch.use_receipt, now)
    if batch.effect_key is not None:
        _claim_key(connection, batch, *batch.effect_key)
    if batch.spend is not None:
        connection.execute(_SPEND, {"of": batch.run, "spent": batch.spend.model_dump_json()})
    drafts = list(batch.drafts)
    state = run.state
    for move in filter(None, (batch.move, batch.then)):
        check_move(batch.run, state, move.to)
        _move(connection, batch.run, move)
        actor = drafts[-1].actor if drafts and move is batch.move else "supervisor"
        body = {"from": state, "to": move.to, "reason": move.reason, "outcome": move.outcome}
        # A run may make the same move twice, so the event's name carries where in the chain it was made.
        tag = f"{state}->{move.to}@{run.head_seq}"
        drafts.append(rows.fact(batch.run, "run.moved", actor, now, body, tag))
        state = move.to
    if state != run.state and state in FINAL:
        drafts.extend(_withdraw(connection, batch.run, now))
    rows.append(connection, batch.run, (run.head_seq, run.head_hash), drafts, now)


def _use_receipt(connection: Connection, run: str, receipt: str, now: datetime) -> None:
    used = connection.execute(_USE_RECEIPT, {"receipt": receipt, "of": run, "now": rows.stamp(now)})
    if used.rowcount == 1:
        return
    at = connection.execute(select(_r.used_at).where(_r.id == receipt, _r.run == run)).scalar()
    if at is None:
        raise NotFound(f"run {run} has no receipt {receipt!r}: nobody approved this call.")
    raise ReceiptUsed(f"receipt {receipt} was used at {at} and covers one call only: ask again.")


def _claim_key(connection: Connection, batch: Batch, tool: str, name: str) -> None:
    # A batch of effects is one task's; what it writes names the task.
    task = next((each.task for each in (*batch.entries, *batch.drafts)), "")
    claim = {"tool": tool, "name": name, "run": batch.run, "task": task}
    if connection.execute(_CLAIM_KEY, claim).rowcount == 1:
        return
    holder = connection.execute(_HOLDER, {"tool": tool, "name": name}).one()
    mine = {each.name for each in batch.entries}
    found = connection.execute(_ATTEMPTS, {"run": holder.run, "task": holder.task, "tool": tool})
    tried = {row.state for row in found if rows.entry_name(row) not in mine}
    if not tried and (holder.run, holder.task) == (batch.run, task):
        return  # the very call that holds it
    if tried and tried <= {"failed", "compensated"}:  # it did not happen there, or was taken back
        moved = update(schema.effect_keys).where(_k.tool == tool, _k.name == name)
        connection.execute(moved.values(run=batch.run, task=task))
        return
    raise EffectTaken(
        f"{tool} for {name!r} was already caused by run {holder.run} (task {holder.task!r}); it was not "
        "sent again."
    )


def _withdraw(connection: Connection, run: str, now: datetime) -> list[Draft]:
    """Withdraws what a run that is over still asked; nobody should have to answer it."""
    of_run = (_q.run == run, _q.state == "open")
    found = connection.execute(select(_q.id, _q.task, _q.title).where(*of_run).order_by(_q.id)).all()
    if found:
        connection.execute(update(schema.questions).where(*of_run).values(state="withdrawn"))
    kind, actor = "question.withdrawn", "supervisor"
    told = [(q.id, q.task, {"question": q.id, "title": q.title}) for q in found]
    return [rows.fact(run, kind, actor, now, body, question, task) for question, task, body in told]


def _move(connection: Connection, run: str, move: Move) -> None:
    changes: rows.Values = {"to": move.to, "why": move.reason, "of": run}
    changes |= {"came_to": move.outcome, "said": rows.dump(move.response)}
    connection.execute(_MOVE, changes)
