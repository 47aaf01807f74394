"""One event with its body, read defensively: bodies may be erased, or older than this code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from interlock.core.canonical import Json
from interlock.core.stores import Line
from interlock.observability.story import ERASED


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the record, placed in time."""

    line: Line
    start: datetime
    """When the run was created; `after` counts from here."""

    @property
    def kind(self) -> str:
        """The kind of event."""
        return self.line.event.kind

    @property
    def task(self) -> str:
        """The task it is about; empty where it is about the run."""
        return self.line.event.task

    @property
    def within(self) -> str:
        """The task whose body was a supervisor of its own, where this happened inside one; else empty."""
        return self.task.rpartition("/")[0]

    @property
    def attempt(self) -> int:
        """The attempt it belongs to."""
        return self.line.event.attempt

    @property
    def actor(self) -> str:
        """Who, without the word before it: `agent:orders` reads `orders`."""
        return self.line.event.actor.partition(":")[2] or self.line.event.actor

    @property
    def after(self) -> float:
        """Seconds since the run was created."""
        return round((self.line.event.at - self.start).total_seconds(), 6)

    @property
    def body(self) -> Mapping[str, Json]:
        """The body; empty where it was erased."""
        body = self.line.body
        return body if isinstance(body, Mapping) else {}

    def value(self, name: str) -> Json:
        """A field as it stands; "erased" where it was erased, None where there is none."""
        return ERASED if self.line.erased else self.body.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A field as text."""
        found = self.value(name)
        return default if found is None else found if isinstance(found, str) else str(found)

    def note(self, name: str) -> str:
        """A field that need not be there as text; empty also where it was erased."""
        return "" if self.line.erased else self.text(name)

    def maybe(self, name: str) -> str | None:
        """A field as text, or None where there is none any more."""
        return self.note(name) or None

    def number(self, name: str) -> float | None:
        """A field as a number, or None where there is none."""
        return as_number(self.body.get(name))

    def whole(self, name: str) -> int | None:
        """A field as a whole number, or None where there is none."""
        found = self.number(name)
        return None if found is None else int(found)

    def items(self, name: str) -> list[Mapping[str, Json]]:
        """A field as a list of objects."""
        return objects(self.body.get(name))

    def part(self, name: str) -> Mapping[str, Json]:
        """A field as an object."""
        return as_object(self.body.get(name))


def facts_of(lines: Sequence[Line]) -> list[Fact]:
    """The lines placed in time."""
    return [Fact(line, lines[0].event.at) for line in lines]


def of_kind(facts: Iterable[Fact], *kinds: str) -> Iterator[Fact]:
    """The facts of these kinds, in order."""
    return (fact for fact in facts if fact.kind in kinds)


def as_object(value: object) -> Mapping[str, Json]:
    """An object, or an empty one."""
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else {}


def as_number(value: Json) -> float | None:
    """A number, or None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def objects(value: Json) -> list[Mapping[str, Json]]:
    """The objects of a list."""
    return [item for item in _list(value) if isinstance(item, Mapping)]


def words(value: Json) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(item for item in _list(value) if isinstance(item, str))


def text_of(values: Mapping[str, Json], name: str) -> str:
    """A field of an object as text; empty where there is none."""
    found = values.get(name)
    return "" if found is None else found if isinstance(found, str) else str(found)


def _list(value: Json) -> Sequence[Json]:
    return cast("Sequence[Json]", value) if isinstance(value, list | tuple) else []
