"""A house whose one specialist is the test desk; as a module it plays one turn in a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interlock import Agent, Doors, Findings, Limits, Plan, Supervisor, Task, ToolServer, bind
from interlock.core.principal import Principal
from interlock.core.reflections import Reflection
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.gate import Check
from tests.desk import Reply, Shop, Ticket, desk, settings

LOST = Ticket(text="my parcel is lost")


def mailing(sent: list[str]) -> Delivery:
    """Hands replies over to a list."""
    mail = ToolServer("mail")

    @mail.tool(effect="once", speaks=True)
    async def send(text: str) -> str:
        """Sends a reply."""
        sent.append(text)
        return "sent"

    return Delivery(send, lambda request, reply: {"text": reply.text})


def house(
    shop: Shop,
    *,
    checks: Sequence[Check] = (),
    outer: Sequence[Check] = (),
    limits: Limits | None = None,
    mailbox: list[str] | None = None,
    times: int = 1,
    floors: int = 1,
    closing: bool = False,
    fickle: Path | None = None,
    judge: Callable[[Agent[Ticket, Reply]], Reflection] | None = None,
) -> Supervisor[Ticket, Reply]:
    """A supervisor that asks the desk and repeats what it says."""
    more: dict[str, Any] = {"deliver": mailing(mailbox)} if mailbox is not None else {}
    below = desk(shop, checks=checks, **more) if fickle is None else fickle_desk(shop, fickle)
    inner = below.agent("Finds orders and pays back.", name="desk", limits=limits)

    async def look(ticket: Ticket, doors: Doors) -> Ticket:
        return ticket

    looker = Agent("looker", "Looks.", run=look)

    def everything(ticket: Ticket) -> Plan:
        """Everything goes to the desk."""
        if closing:
            return Plan(Task(looker, ticket), closing=Task(inner, ticket))
        return Plan(*(Task(inner, ticket) for _ in range(times)))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        said = findings.get(inner)
        return Reply(text=f"The desk says: {said[-1].text}" if said else "The desk says: nothing.")

    made = Supervisor(
        "house",
        request=Ticket,
        response=Reply,
        agents=[inner, looker],
        routes=[everything],
        answer=answer,
        examples=[LOST],
        checks=outer,
        reflections=[judge(inner)] if judge else [],
    )
    return made if floors == 1 else _over(made)


def fickle_desk(shop: Shop, changed: Path) -> Supervisor[Ticket, Reply]:
    """A desk whose plan depends on something outside of the request."""

    async def idle(ticket: Ticket, doors: Doors) -> str:
        return "nothing was done"

    idler = Agent("idler", "Idles.", run=idle)
    common = desk(shop)

    def idling(ticket: Ticket) -> Plan | None:
        """The world has changed."""
        return Plan(Task(idler, ticket)) if changed.exists() or ticket.text == "idle" else None

    return Supervisor(
        "support",
        request=Ticket,
        response=Reply,
        agents=[*common.agents.values(), idler],
        routes=[idling, *common.routes],
        policy=common.policy,
        answer=common.answer,
        examples=[LOST, Ticket(text="idle")],
    )


def _over(made: Supervisor[Ticket, Reply]) -> Supervisor[Ticket, Reply]:
    inner = made.agent("The house.")

    def up(ticket: Ticket) -> Plan:
        """One floor down."""
        return Plan(Task(inner, ticket))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        return findings.get(inner)[0]

    return Supervisor(
        "tower",
        request=Ticket,
        response=Reply,
        agents=[inner],
        routes=[up],
        answer=answer,
        examples=[LOST],
    )


class Doomed(Shop):
    """A shop whose process dies right after it has paid."""

    def _pay_back(self) -> Callable[..., Any]:
        pay = super()._pay_back()

        async def pay_back(order_id: str, amount: Any, key: str = "") -> Any:
            await pay(order_id, amount, key)
            os.kill(os.getpid(), signal.SIGKILL)

        pay_back.__annotations__, pay_back.__doc__ = pay.__annotations__, pay.__doc__
        return pay_back


async def play(turn: str, folder: Path) -> None:
    """Plays one turn: up to the question, up to the payment, or to the end; the first two end by SIGKILL."""
    shop = (Doomed if turn == "sent" else Shop)(folder / "shop.db", total="250")
    async with bind(house(shop).build(), settings=settings(folder, lease_s=0.5)) as app:
        if turn == "ask":
            run = await app.run(LOST)
            os.kill(os.getpid(), signal.SIGKILL)
        (run,) = await app.stores.runs.list()
        if turn == "sent":
            (question,) = await app.questions(run.id)
            await app.answer(question.id, yes=True, by=Principal(user="lena", scopes=("shift-lead",)))
        run = await app.resume(run.id)
        print(run.state, run.outcome)


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1], Path(sys.argv[2])))
