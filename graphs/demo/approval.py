"""Act 2: a yes covers one exact call, and is used once."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from graphs.demo.stage import LEAD, Stage, settings
from graphs.demo.till import BOOK, Order, Refund, Reply, Till
from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, bind
from interlock.bootstrap import Bound
from interlock.core.ports import Batch
from interlock.core.questions import Question
from interlock.errors import ReceiptUsed, Rejected
from interlock.orchestration.supervisor import SupervisorGraph

SCENE = "approval"
RIGHT, WRONG = Decimal("10.00"), Decimal("9999.00")


class Whim:
    """An amount in a file: something a body can read that is not one of its doors, so nobody records it."""

    def __init__(self, path: Path) -> None:
        """Names the file."""
        self._path = path

    def set(self, amount: Decimal) -> None:
        """What the body will propose from now on."""
        self._path.write_text(str(amount), encoding="utf-8")

    def amount(self) -> Decimal:
        """What the body proposes now."""
        return Decimal(self._path.read_text(encoding="utf-8"))


def graph(till: Till, whim: Whim) -> SupervisorGraph:
    """One agent that changes its mind between executions, and then wants to be paid twice."""

    async def pay_back(order: Order, doors: Doors) -> Refund:
        paid = await doors.call(till.refund, order_id=order.id, amount=whim.amount())
        with suppress(Rejected):
            await doors.call(till.refund, order_id=order.id, amount=whim.amount())
        return paid

    returns = Agent("returns", "Pays a refund.", run=pay_back, tools=[till.refund])

    def refund(order: Order) -> Plan:
        """Everything here is a refund."""
        return Plan(Task(returns, order))

    def answer(order: Order, findings: Findings) -> Reply:
        return Reply(text=f"We paid back {findings.get(returns)[0].amount} EUR.")

    return Supervisor(
        "whims",
        request=Order,
        response=Reply,
        agents=[returns],
        routes=[refund],
        policy=Policy().ask(returns, till.refund, whom="shift-lead"),
        answer=answer,
        examples=[Order(id="B-1", amount=RIGHT)],
    ).build()


async def play(stage: Stage) -> None:
    """Answers three questions about three calls of one task, and counts in the till's book."""
    stage.act(2, "A yes covers one exact call: another amount is not paid, and the yes is used once.")
    folder = stage.scene(SCENE)
    till, whim = Till(folder / BOOK), Whim(folder / "proposal.txt")
    whim.set(RIGHT)
    async with bind(graph(till, whim), settings=settings(folder)) as app:
        run = (await app.run(Order(id="B-1", amount=RIGHT))).id
        first = await _asked(stage, app, run)
        stage.say(f"{LEAD.user}: yes. But now, executed again, the agent proposes {WRONG:,} EUR.")
        whim.set(WRONG)
        await app.answer(first.id, yes=True, by=LEAD)
        await app.resume(run)
        stage.say(f"Paid so far: {_told(till)}. The yes is for another call, so a person is asked again:")
        stage.promise(till.rows() == [], "nothing is paid that nobody said yes to")
        second = await _asked(stage, app, run)
        stage.promise(str(WRONG) in second.title, "the other amount is a question of its own")
        stage.say(
            f"{LEAD.user}: no. Executed again, the agent proposes {RIGHT} EUR, then the same once more."
        )
        whim.set(RIGHT)
        await app.answer(second.id, yes=False, comment="I said yes to 10.00", by=LEAD)
        await app.resume(run)
        stage.say(f"Paid so far: {_told(till)}. The yes is used up, so the same call again is asked about:")
        stage.promise(till.rows() == [("B-1", RIGHT)], "the approved call is paid once")
        third = await _asked(stage, app, run)
        stage.promise(third.id not in (first.id, second.id), "the same call again is a new question")
        await app.answer(third.id, yes=False, comment="once is enough", by=LEAD)
        ended = await app.resume(run)
        stage.say(f"{LEAD.user}: no. The run is {ended.state}.")
        stage.promise(ended.state == "completed", "the run ends")
        await _second_use(stage, app, run, first)
    stage.say(f"In the till's own book: {_told(till)}.")
    stage.promise(till.rows() == [("B-1", RIGHT)], "one payment, of the approved amount")


async def _asked(stage: Stage, app: Bound, run: str) -> Question:
    """The one open question of the run, shown."""
    (question,) = await app.questions(run)
    stage.say(f"question {question.id}: {question.title}", indent=4)
    return question


async def _second_use(stage: Stage, app: Bound, run: str, question: Question) -> None:
    """Hands the used receipt in once more, behind the gateway's back."""
    receipt = await app.stores.ledger.receipt(question.id)
    used: datetime | None = receipt.used_at if receipt else None
    stage.promise(used is not None, "the yes left a receipt, and it was used")
    try:
        await app.stores.ledger.commit(
            Batch(run=run, fence=None, use_receipt=receipt.id if receipt else "none")
        )
        stage.promise(False, "a receipt is used once")
    except ReceiptUsed as refused:
        stage.say("The used receipt, handed in once more, is refused by the database:")
        stage.say(refused.message, indent=4)


def _told(till: Till) -> str:
    rows = till.rows()
    each = ", ".join(f"{amount:,} EUR for {order}" for order, amount in rows)
    return f"{len(rows)} payment{'' if len(rows) == 1 else 's'} ({each})" if rows else "nothing"
