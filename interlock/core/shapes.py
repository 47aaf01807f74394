"""Does a value, or a task's output, fit the parameter it is meant for?"""

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from interlock.core.canonical import Json, plain
from interlock.errors import PlanInvalid


def produced(where: str, annotation: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """The type found by following `path` through the fields of models.

    Raises:
        PlanInvalid: if there is no such field.
    """
    for part in path:
        fields = (
            annotation.model_fields
            if isinstance(annotation, type) and issubclass(annotation, BaseModel)
            else {}
        )
        if part not in fields:
            raise PlanInvalid(
                f"{where}: {_name(annotation)} has no field {part!r} that a task could be given."
            )
        annotation = fields[part].annotation
    return annotation


def misfit(given: Any, wanted: Any) -> str | None:  # noqa: ANN401
    """Why a value of type `given` does not fit `wanted`; None if it does."""
    if fits(given, wanted):
        return None
    return f"is given {_name(given)} but takes {_name(wanted)}"


def fits(given: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Says whether every value of type `given` is a value of type `wanted`."""
    given, wanted = _bare(given), _bare(wanted)
    if wanted in (Any, object) or given == wanted:
        return True
    if get_origin(given) is Literal:
        return all(_takes(wanted, value) for value in get_args(given))
    if _union(given):
        return all(fits(member, wanted) for member in get_args(given))
    if _union(wanted):
        return any(fits(given, member) for member in get_args(wanted))
    if get_args(given) or get_args(wanted):
        return False
    return isinstance(given, type) and isinstance(wanted, type) and issubclass(given, wanted)


def _takes(wanted: Any, value: object) -> bool:  # noqa: ANN401
    """Says whether one value of a `Literal` is a value of type `wanted`."""
    if _union(wanted):
        return any(_takes(_bare(member), value) for member in get_args(wanted))
    if get_origin(wanted) is Literal:
        return any(value == other and type(value) is type(other) for other in get_args(wanted))
    return fits(type(value), wanted)


def stored_value(value: object, wanted: Any) -> tuple[Json, str | None]:  # noqa: ANN401
    """A value as JSON, and why it does not fit `wanted` (None if it does)."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        return plain(adapter.validate_python(value)), None
    except (ValidationError, ValueError):
        return None, f"is given {_name(type(value))} but takes {_name(wanted)}"


def follow(value: Json, path: tuple[str, ...]) -> Json:
    """The part of a JSON value at `path`."""
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _bare(annotation: Any) -> Any:  # noqa: ANN401
    """The type without what `Annotated` says of its values; those are checked when there are some."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _union(annotation: Any) -> bool:  # noqa: ANN401
    return get_origin(annotation) in (Union, UnionType)


def _name(annotation: Any) -> str:  # noqa: ANN401
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
