"""Time and spend: what is declared (`Limits`) and what is left (`Budget`, `Deadline`).

A child never gets more than its parent has; shares are caps on one pool. Time during which
only a person thinks does not count.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

from pydantic import BaseModel, Field

from interlock.errors import BudgetExceeded

N = TypeVar("N", int, float, Decimal)


class Limits(BaseModel, frozen=True, extra="forbid"):
    """Declared caps; an absent one means that the parent's cap holds."""

    seconds: float | None = Field(default=None, gt=0)
    """Active time, in seconds."""
    usd: Decimal | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    """Input and output tokens together."""
    model_calls: int | None = Field(default=None, ge=0)
    tool_calls: int | None = Field(default=None, ge=0)
    """Calls to tools, effects included; replayed answers do not count."""

    def within(self, parent: "Limits") -> "Limits":
        """The tighter of the two, field by field."""
        return Limits(
            seconds=_least(self.seconds, parent.seconds),
            usd=_least(self.usd, parent.usd),
            tokens=_least(self.tokens, parent.tokens),
            model_calls=_least(self.model_calls, parent.model_calls),
            tool_calls=_least(self.tool_calls, parent.tool_calls),
        )


def _least(mine: N | None, theirs: N | None) -> N | None:
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    return min(mine, theirs)


AGENT_LIMITS = Limits(seconds=60, tool_calls=25, model_calls=25, tokens=200_000)
"""What an agent gets that declares nothing: enough for real work, never endless."""
RUN_LIMITS = Limits(seconds=600, tool_calls=200, model_calls=200, tokens=2_000_000)


class Spend(BaseModel, frozen=True, extra="forbid"):
    """What was used so far."""

    seconds: float = 0.0
    """Active time, in seconds; time while people think is not in it."""
    usd: Decimal = Decimal(0)
    tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0

    def plus(self, other: "Spend") -> "Spend":
        """The sum, field by field."""
        return Spend(
            seconds=round(self.seconds + other.seconds, 6),
            usd=self.usd + other.usd,
            tokens=self.tokens + other.tokens,
            model_calls=self.model_calls + other.model_calls,
            tool_calls=self.tool_calls + other.tool_calls,
        )


@dataclass(slots=True)
class Budget:
    """What is left of one pool; taking from a child takes from its parents too."""

    limits: Limits
    name: str
    """Whose budget it is, for the error text."""
    parent: "Budget | None" = None
    spent: Spend = field(default_factory=Spend)
    enforced: bool = True
    """False only where a test switches the guard off."""

    def share(self, name: str, limits: Limits, spent: Spend | None = None) -> "Budget":
        """A child that is capped by `limits` and by everything this pool has left."""
        return Budget(limits, name, self, spent or Spend(), self.enforced)

    def take(
        self, *, tool_calls: int = 0, model_calls: int = 0, tokens: int = 0, usd: Decimal = Decimal(0)
    ) -> None:
        """Spends, or refuses before anything is sent and leaves every pool as it was.

        Raises:
            BudgetExceeded: if this pool or one above it has not enough left.
        """
        wanted = Spend(tool_calls=tool_calls, model_calls=model_calls, tokens=tokens, usd=usd)
        chain: list[Budget] = []
        pool: Budget | None = self
        while pool is not None:
            pool._refuse(wanted)
            chain.append(pool)
            pool = pool.parent
        for each in chain:
            each.spent = each.spent.plus(wanted)

    def reserve(self, *, model_calls: int = 0, tokens: int = 0, usd: Decimal = Decimal(0)) -> "Reservation":
        """Sets aside the most a call may cost, or refuses before it is sent.

        Raises:
            BudgetExceeded: if this pool or one above it has not enough left; every pool is as it was.
        """
        self.take(model_calls=model_calls, tokens=tokens, usd=usd)
        return Reservation(self, Spend(model_calls=model_calls, tokens=tokens, usd=usd))

    def left(self) -> Limits:
        """What may still be spent, of this pool and every one above it; absent where nothing is capped."""
        pool: Budget | None = self
        least = Limits()
        while pool is not None:
            rest: dict[str, int | Decimal] = {}
            for what in ("tool_calls", "model_calls", "tokens", "usd"):
                cap = getattr(pool.limits, what)
                if cap is not None:
                    rest[what] = max(cap - getattr(pool.spent, what), cap * 0)
            least, pool = least.within(Limits.model_validate(rest)), pool.parent
        return least

    def charge(self, *, tokens: int = 0, usd: Decimal = Decimal(0)) -> None:
        """Books what a call turned out to cost; the next one is refused where too little is left."""
        self.book(Spend(tokens=tokens, usd=usd))

    def caps(self, what: Literal["usd", "tokens"]) -> bool:
        """Says whether this pool or one above it limits what is spent of it."""
        pool: Budget | None = self
        while pool is not None:
            if pool.enforced and getattr(pool.limits, what) is not None:
                return True
            pool = pool.parent
        return False

    def book(self, spent: Spend) -> None:
        """Adds to what this pool and those above it have spent; negative amounts are given back."""
        pool: Budget | None = self
        while pool is not None:
            pool.spent = pool.spent.plus(spent)
            pool = pool.parent

    def _refuse(self, wanted: Spend) -> None:
        if not self.enforced:
            return
        for what in ("tool_calls", "model_calls", "tokens", "usd"):
            limit = getattr(self.limits, what)
            used, more = getattr(self.spent, what), getattr(wanted, what)
            if wanted.model_calls and limit is not None and what in ("tokens", "usd") and used >= limit:
                raise BudgetExceeded(
                    f"{self.name} has used {used} of {limit} {what}; the model was not asked. "
                    f"Raise `Limits({what}=...)` if it should be."
                )
            if limit is not None and more and used + more > limit:
                raise BudgetExceeded(
                    f"{self.name} has used {used} of {limit} {what.replace('_', ' ')} and asked for {more} "
                    f"more; the call was not sent. Raise `Limits({what}=...)` if it should be allowed."
                )


@dataclass(slots=True)
class Reservation:
    """What was set aside for one call; settled once, when it is known what the call did cost."""

    pool: Budget
    held: Spend
    settled: bool = False

    def settle(self, *, tokens: int = 0, usd: Decimal = Decimal(0)) -> None:
        """Books the true cost, also one above what was set aside; a second time changes nothing."""
        if not self.settled:
            self.settled = True
            self.pool.book(Spend(tokens=tokens - self.held.tokens, usd=usd - self.held.usd))

    def release(self) -> None:
        """Gives everything back: nothing was sent, or nothing was charged."""
        if not self.settled:
            self.settled = True
            held = self.held
            self.pool.book(Spend(model_calls=-held.model_calls, tokens=-held.tokens, usd=-held.usd))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on a monotonic clock after which work must have stopped."""

    at: float
    """Seconds on `clock`; never a wall clock, so that clock jumps do not move it."""
    clock: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float]) -> "Deadline":
        """The deadline `seconds` from now."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.clock())

    def within(self, seconds: float | None) -> "Deadline":
        """The earlier of this deadline and `seconds` from now."""
        return self if seconds is None else Deadline(min(self.at, self.clock() + seconds), self.clock)
