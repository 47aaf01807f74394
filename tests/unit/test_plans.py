"""A reference to an output is the dependency, the context slice and the type check."""

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from interlock.core.agents import Agent, AnyAgent
from interlock.core.doors import Doors
from interlock.core.limits import Limits
from interlock.core.plans import AnyTask, Finding, Findings, Plan, StoredPlan, Task, store
from interlock.core.worst_case import worst_case
from interlock.errors import PlanInvalid


class Ticket(BaseModel):
    """A request."""

    text: str


class Order(BaseModel):
    """An order."""

    id: str
    lines: int = 1
    status: Literal["open", "sent"] = "open"


class Reply(BaseModel):
    """An answer."""

    text: str


async def look_up(ticket: Ticket, doors: Doors) -> Order:
    """Finds an order."""
    return Order(id=ticket.text)


async def decide(order: Order, words: str, doors: Doors) -> Order:
    """Decides about an order."""
    return order


async def draft(ticket: Ticket, findings: Findings, doors: Doors) -> Reply:
    """Writes an answer."""
    return Reply(text=ticket.text)


orders = Agent("orders", "Finds.", run=look_up, max_activations=3)
returns = Agent("returns", "Decides.", run=decide)
drafting = Agent("drafting", "Writes.", run=draft)
AGENTS: list[AnyAgent] = [orders, returns, drafting]
TICKET = Ticket(text="lost")


def stored(plan: Plan, agents: list[AnyAgent] = AGENTS, max_tasks: int = 8) -> StoredPlan:
    """The plan as the supervisor stores it."""
    return store(plan, TICKET, agents, "lost_parcel", max_tasks)


def refusal(plan: Plan, **changes: Any) -> str:
    """The sentence with which a plan is refused."""
    with pytest.raises(PlanInvalid) as refused:
        stored(plan, **changes)
    return refused.value.message


def test_output_used_as_input_is_the_dependency() -> None:
    """Values, the request, outputs and fields of outputs each become one kind of input."""
    order = Task(orders, TICKET)
    again = Task(orders, Ticket(text="new"))
    plan = stored(Plan(Task(returns, order.output, order.output.status), again))

    kinds = {task.id: [(i.name, i.kind, i.task, i.path) for i in task.inputs] for task in plan.tasks}
    assert kinds == {
        "orders": [("ticket", "request", "", ())],
        "returns": [("order", "output", "orders", ()), ("words", "output", "orders", ("status",))],
        "orders-2": [("ticket", "value", "", ())],
    }
    assert plan.task("orders-2").inputs[0].value == {"text": "new"}
    assert plan.task("returns").needs == ("orders", "orders")
    assert plan.task("returns").after == ("orders",)


def test_tasks_referred_to_belong_to_the_plan() -> None:
    """Producers come first, whether they were named or not, and each once."""
    order = Task(orders, TICKET)
    decision = Task(returns, order.output, "x")

    assert Plan(decision, order).tasks == (order, decision)
    assert Plan(closing=Task(drafting, TICKET, Findings.of(decision))).tasks == (order, decision)


def test_findings_are_awaited_but_not_needed() -> None:
    """A closing task waits for what others come to, usable or not."""
    order = Task(orders, TICKET)
    plan = stored(Plan(order, closing=Task(drafting, TICKET, Findings.of(order))))

    (closing,) = plan.closing_tasks
    assert (closing.id, closing.needs, closing.after) == ("drafting", (), ("orders",))
    assert [task.id for task in plan.open_tasks] == ["orders"]


def test_closing_task_may_refer_to_another_closing_task() -> None:
    """Both run after the join, one after the other."""
    first = Task(drafting, TICKET, Findings())
    second = Task(drafting, TICKET, Findings.of(first))

    plan = stored(Plan(Task(orders, TICKET), closing=[first, second]))

    assert [task.id for task in plan.closing_tasks] == ["drafting", "drafting-2"]
    assert plan.task("drafting-2").after == ("drafting",)


def test_findings_give_the_usable_outputs_of_an_agent() -> None:
    """Completed and degraded outputs, in order and typed; what failed is left out."""
    findings = Findings(
        items=(
            Finding(task="orders", agent="orders", status="completed", output={"id": "A-1"}),
            Finding(task="orders-2", agent="orders", status="failed"),
            Finding(task="orders-3", agent="orders", status="degraded", output={"id": "A-3"}),
            Finding(task="returns", agent="returns", status="completed", output={"id": "A-4"}),
        )
    )

    assert findings.get(orders) == [Order(id="A-1"), Order(id="A-3")]


def test_plan_survives_storing() -> None:
    """Written as JSON and read back, a plan is the same."""
    order = Task(orders, TICKET)
    plan = stored(Plan(Task(returns, order.output, "x"), closing=Task(drafting, TICKET, Findings.of(order))))

    assert StoredPlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "use",
    [
        bool,
        lambda ref: ref == "A-1",
        lambda ref: ref != "A-1",
        lambda ref: ref in ["A-1"],
        lambda ref: f"order {ref}",
        lambda ref: {ref},
        lambda ref: ref > 1,
        list,
    ],
)
def test_output_cannot_be_decided_on_while_the_plan_is_made(use: Any) -> None:
    """A reference is no value: to test, compare, print or iterate it is refused, never silently false."""
    with pytest.raises((PlanInvalid, TypeError)):
        use(Task(orders, TICKET).output.id)


def test_reference_says_where_it_points() -> None:
    """Error texts and debuggers show the agent and the path."""
    assert repr(Task(orders, TICKET).output.id) == "<output of orders.id>"


def wrong(agent: Any, *inputs: Any) -> AnyTask:
    """A task that a type checker would refuse."""
    return Task(agent, *inputs)


def loose(task: AnyTask) -> Any:
    """A task's output as no type checker knows it."""
    return task.output


stranger: AnyAgent = Agent("stranger", "Unknown.", run=look_up)
found = Task(orders, TICKET)
ORDER, WORDS = "task 'returns', input 'order'", "task 'returns', input 'words'"
REFUSED: list[tuple[Plan, str]] = [
    (Plan(), "route lost_parcel made a plan without a task"),
    (Plan(wrong(returns, found.output)), "'returns' was given 1 inputs; agent returns takes 2: order, words"),
    (Plan(wrong(returns, TICKET, "x")), f"{ORDER} is given Ticket but takes Order"),
    (Plan(wrong(returns, "A-1", "x")), f"{ORDER} is given str but takes Order"),
    (Plan(wrong(returns, found.output, found.output.lines)), f"{WORDS} is given int but takes str"),
    (Plan(wrong(returns, found.output, loose(found).price)), f"{WORDS}: Order has no field 'price'"),
    (Plan(wrong(returns, loose(found).id.size, "x")), f"{ORDER}: str has no field 'size'"),
    (Plan(wrong(returns, Findings.of(found), "x")), f"{ORDER} is given Findings but takes Order"),
    (Plan(wrong(drafting, TICKET, found.output)), "input 'findings' is given Order but takes Findings"),
    (Plan(wrong(returns, [found.output], "x")), f"{ORDER} is given list but takes Order"),
    (
        Plan(wrong(stranger, TICKET)),
        "a task for 'stranger', which is not among the supervisor's agents (draft",
    ),
    (Plan(*(Task(orders, TICKET) for _ in range(4))), "planned 4 tasks for 'orders', which allows 3"),
]


@pytest.mark.parametrize(("plan", "sentence"), REFUSED)
def test_wrong_wiring_is_refused_by_name(plan: Plan, sentence: str) -> None:
    """The sentence names the task and the input that do not fit."""
    assert sentence in refusal(plan)


def test_plan_has_a_size() -> None:
    """More tasks than the supervisor allows are refused."""
    plan = Plan(Task(orders, TICKET), Task(orders, TICKET))

    assert refusal(plan, max_tasks=1) == "route lost_parcel planned 2 tasks; the supervisor allows 1."


def test_another_agent_of_the_same_name_is_a_stranger() -> None:
    """An agent is known by itself, not by its name."""
    double: AnyAgent = Agent("orders", "Finds.", run=look_up)

    assert "'orders', which is not among" in refusal(Plan(wrong(double, TICKET)))


def test_closing_task_cannot_be_waited_for_by_the_work() -> None:
    """What runs after the join is no input of what runs before it."""
    closing = Task(drafting, TICKET, Findings())
    early = wrong(drafting, TICKET, Findings.of(closing))

    assert refusal(Plan(early, closing=closing)) == (
        "task 'drafting', input 'findings' refers to closing task 'drafting-2', which runs afterwards."
    )


def components(edges: list[list[int]]) -> list[list[int]]:
    """The connected components, by the simplest union-find there is."""
    root = list(range(len(edges)))
    for task, producers in enumerate(edges):
        for other in producers:
            old, new = root[task], root[other]
            root = [new if each == old else each for each in root]
    return [[i for i, r in enumerate(root) if r == each] for each in dict.fromkeys(root)]


async def gather(findings: Findings, doors: Doors) -> Reply:
    """Reads what others came to."""
    return Reply(text=str(len(findings.items)))


gathering: AnyAgent = Agent("gather", "Gathers.", run=gather, max_activations=20)


EDGES = st.integers(1, 10).flatmap(
    lambda size: st.tuples(
        *(st.sets(st.integers(0, i - 1)) if i else st.just(set[int]()) for i in range(size))
    )
)


@settings(deadline=None, max_examples=100)
@given(EDGES)
def test_strands_are_the_connected_components(edges: tuple[set[int], ...]) -> None:
    """Work that has nothing to do with each other is in different strands, all else in the same."""
    tasks: list[AnyTask] = []
    for producers in edges:
        tasks.append(wrong(gathering, Findings.of(*(tasks[i] for i in sorted(producers)))))
    closing = wrong(gathering, Findings.of(*tasks))

    plan = store(Plan(*tasks, closing=closing), TICKET, [gathering], "route", 20)

    names = [task.id for task in plan.open_tasks]
    assert plan.strands() == [[names[i] for i in part] for part in components([sorted(e) for e in edges])]


def test_closing_tasks_stand_in_the_order_of_their_work() -> None:
    """Whatever the order they are named in, and named once or twice, each stands once, after its needs."""

    async def close(findings: Findings, doors: Doors) -> Order:
        return Order(id="1")

    async def sign(order: Order, doors: Doors) -> Reply:
        return Reply(text=order.id)

    closer, signer = Agent("closer", "Closes.", run=close), Agent("signer", "Signs.", run=sign)
    closed = Task(closer, Findings.of())
    plan = Plan(closing=[Task(signer, closed.output), closed, closed])

    stored = store(plan, None, [closer, signer], "route", 5)

    assert [(task.id, task.closing) for task in stored.tasks] == [("closer", True), ("signer", True)]


def test_task_names_differ_whatever_agents_are_called() -> None:
    """The second task of `a` and the first of `a-2` are two."""
    one, two = Agent("a", "A.", run=look_up), Agent("a-2", "A2.", run=look_up)
    ticket = Ticket(text="x")

    stored = store(Plan(Task(two, ticket), Task(one, ticket), Task(one, ticket)), ticket, [one, two], "r", 5)

    assert [task.id for task in stored.tasks] == ["a-2", "a", "a-3"]


def test_closing_tasks_that_wait_for_each_other_add_up_in_the_worst_case() -> None:
    """The bound on seconds follows the chain through closing tasks as well."""

    async def close(order: Order, doors: Doors) -> Order:
        return order

    limits = Limits(seconds=10)
    first = Agent("first", "Finds.", run=look_up, limits=limits, attempts=1)
    closer = Agent("closer", "Closes.", run=close, limits=limits, attempts=1)
    ticket = Ticket(text="x")
    found = Task(first, ticket)
    one = Task(closer, found.output)
    plan = Plan(found, closing=[Task(closer, one.output), one])
    agents = [first, closer]

    stored = store(plan, ticket, agents, "route", 5)

    assert worst_case(stored, {a.name: a for a in agents}, [], Limits(), 0).seconds == 30
