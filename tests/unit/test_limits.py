"""Time and spend only shrink."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.limits import Budget, Deadline, Limits, Spend
from interlock.errors import BudgetExceeded

LIMITS = st.builds(
    Limits,
    seconds=st.none() | st.floats(0.1, 1e6),
    usd=st.none() | st.decimals(0, 1000, places=2),
    tokens=st.none() | st.integers(0, 1000),
    model_calls=st.none() | st.integers(0, 20),
    tool_calls=st.none() | st.integers(0, 20),
)
TAKES = st.fixed_dictionaries(
    {},
    optional={
        "tool_calls": st.integers(0, 5),
        "model_calls": st.integers(0, 5),
        "tokens": st.integers(0, 300),
        "usd": st.decimals(0, 200, places=2),
    },
)
COUNTED = ("tool_calls", "model_calls", "tokens", "usd")
FAST = settings(deadline=None, max_examples=100)


def least(one: Any, two: Any) -> Any:
    """The tighter of two caps, either of which may be absent."""
    return min((cap for cap in (one, two) if cap is not None), default=None)


@FAST
@given(LIMITS, LIMITS)
def test_within_is_commutative_and_never_loosens(one: Limits, two: Limits) -> None:
    """The tighter of two limits is the same either way round, field by field."""
    both = one.within(two)

    assert both == two.within(one)
    assert both == both.within(one) == both.within(two)
    assert all(getattr(both, f) == least(getattr(one, f), getattr(two, f)) for f in (*COUNTED, "seconds"))


@FAST
@given(st.lists(LIMITS, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 5), TAKES), max_size=20))
def test_no_pool_spends_more_than_it_or_a_pool_above_it_may(
    limits: list[Limits], takes: list[tuple[int, dict[str, Any]]]
) -> None:
    """Shares are caps on one pool: whatever is taken where, no cap above is passed, and all is counted."""
    pools = [Budget(limits[0], "run")]
    for each in limits[1:]:
        pools.append(pools[len(pools) // 2].share(f"task {len(pools)}", each))

    for at, wanted in takes:
        before = [pool.spent for pool in pools]
        try:
            pools[at % len(pools)].take(**wanted)
        except BudgetExceeded:
            assert [pool.spent for pool in pools] == before

    for pool in pools:
        for what in COUNTED:
            limit, spent = getattr(pool.limits, what), getattr(pool.spent, what)
            assert limit is None or spent <= limit
            assert pool.parent is None or spent <= getattr(pool.parent.spent, what)


def test_refusal_says_what_was_used_and_what_would_help() -> None:
    """The error names the pool, the cap and the setting; nothing was taken anywhere."""
    run = Budget(Limits(tool_calls=1), "run r-1")
    task = run.share("task orders", Limits(tool_calls=5))
    task.take(tool_calls=1)

    with pytest.raises(BudgetExceeded, match="run r-1 has used 1 of 1 tool calls") as refused:
        task.take(tool_calls=1, tokens=5)

    assert refused.value.code == "budget_exceeded"
    assert task.spent == run.spent == Spend(tool_calls=1)


def test_spent_pool_still_serves_what_costs_nothing() -> None:
    """A cap stops the kind of spend it is about, not the others."""
    pool = Budget(Limits(tool_calls=0, usd=Decimal(1)), "task")

    pool.take(usd=Decimal("0.5"))

    assert pool.spent.usd == Decimal("0.5")


def test_switched_off_budget_still_counts() -> None:
    """Without the guard the spend runs past its cap, and is seen to."""
    pool = Budget(Limits(tool_calls=1), "run", enforced=False)

    pool.share("task", Limits()).take(tool_calls=3)

    assert pool.spent.tool_calls == 3


@FAST
@given(
    st.floats(0, 1e6),
    st.floats(0, 1e5),
    st.none() | st.floats(0, 1e5),
    st.none() | st.floats(0, 1e5),
    st.floats(0, 1e6),
)
def test_deadline_only_moves_closer(
    start: float, seconds: float, one: float | None, two: float | None, later: float
) -> None:
    """A deadline within another is never later, in any order, and the time left is never negative."""
    now = [start]
    deadline = Deadline.after(seconds, lambda: now[0])

    inner = deadline.within(one).within(two)
    same = deadline.within(two).within(one)
    now[0] += later

    assert inner.at == same.at <= deadline.at
    assert 0 <= inner.left() <= deadline.left()


def test_what_a_model_call_cost_counts_against_the_next() -> None:
    """What a reply costs is known only afterwards: it is booked everywhere, and the next call is refused."""
    run = Budget(Limits(usd=Decimal(1)), "run")
    task = run.share("task", Limits(tokens=100))
    other = run.share("other", Limits())

    task.take(model_calls=1)
    task.charge(tokens=150, usd=Decimal(2))

    with pytest.raises(BudgetExceeded, match="task has used 150 of 100 tokens; the model was not asked"):
        task.take(model_calls=1)
    with pytest.raises(BudgetExceeded, match="run has used 2 of 1 usd"):
        other.take(model_calls=1)
    task.take(tool_calls=1)
    assert run.spent == Spend(tokens=150, usd=Decimal(2), model_calls=1, tool_calls=1)


@given(
    st.integers(0, 500),
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 400), st.booleans()), max_size=8),
)
def test_reservations_never_let_more_in_than_there_is(limit: int, calls: list[tuple[int, int, bool]]) -> None:
    """What is set aside counts like what is spent; once all are settled, only the true cost is left."""
    above = Budget(Limits(tokens=limit), "the run")
    pool = above.share("the task", Limits())
    open_ones = []
    for wanted, cost, fails in calls:
        try:
            open_ones.append((pool.reserve(model_calls=1, tokens=wanted), min(cost, wanted), fails))
        except BudgetExceeded:
            assert above.spent.tokens + wanted > limit
    assert above.spent.tokens <= limit

    for held, cost, fails in open_ones:
        for _ in range(2):  # settling twice changes nothing
            held.release() if fails else held.settle(tokens=cost)

    true_cost = sum(cost for _, cost, fails in open_ones if not fails)
    answered = sum(not fails for _, _, fails in open_ones)
    assert (above.spent.tokens, above.spent.model_calls) == (true_cost, answered)
    assert pool.spent == above.spent


def test_a_call_that_cost_more_than_expected_is_booked_as_it_was() -> None:
    """An estimate may be too low: the pool says so, and the next call is refused."""
    pool = Budget(Limits(tokens=100), "the task")
    pool.reserve(model_calls=1, tokens=80).settle(tokens=120)

    assert pool.spent.tokens == 120
    with pytest.raises(BudgetExceeded, match="has used 120 of 100 tokens"):
        pool.reserve(model_calls=1, tokens=1)


@pytest.mark.parametrize(
    ("mine", "above", "capped"),
    [
        (Limits(usd=Decimal(1)), Limits(), True),
        (Limits(), Limits(usd=Decimal(1)), True),
        (Limits(), Limits(), False),
    ],
)
def test_a_cap_anywhere_above_counts(mine: Limits, above: Limits, capped: bool) -> None:
    """A pool is capped by its own limits and by those of every pool above it."""
    assert Budget(above, "the run").share("the task", mine).caps("usd") is capped


def test_what_is_left_is_the_least_of_all_pools() -> None:
    """A child has no more left than any pool above it, and never less than nothing."""
    run = Budget(Limits(tokens=100, usd=Decimal("0.50")), "the run")
    task = run.share("task", Limits(tokens=500, model_calls=2))
    run.charge(tokens=30, usd=Decimal("0.70"))

    assert task.left() == Limits(tokens=70, usd=Decimal(0), model_calls=2)
    assert Budget(Limits(), "free").left() == Limits()
