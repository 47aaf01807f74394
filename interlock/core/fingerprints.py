"""The digest of a function: its code, its defaults and what it closes over, the same in every process.

It changes when the function is edited, and with the Python version that compiled it. What the function calls
is known by its name only.
"""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, cast

from interlock.core.canonical import Json, digest, plain


def fingerprint(function: Callable[..., Any] | None) -> str:
    """Twelve characters that name a function's definition; empty for None."""
    return "" if function is None else digest(_function(function, ()), "code")[:12]


def _function(function: Any, outer: tuple[object, ...]) -> Json:  # noqa: ANN401
    """What defines a function; `outer` are those it was reached through, so that recursion ends."""
    if function in outer:
        return "itself"
    inner = (*outer, function)
    if isinstance(function, functools.partial):
        made = cast("functools.partial[Any]", function)
        return [_function(made.func, inner), _value(made.args, inner), _value(made.keywords, inner)]
    if isinstance(function, types.MethodType):
        return [type(function.__self__).__qualname__, _function(function.__func__, inner)]
    if not isinstance(function, types.FunctionType):
        body = inspect.getattr_static(cast("type[Any]", type(function)), "__call__", None)
        known = _code(body.__code__, inner) if isinstance(body, types.FunctionType) else None
        return [getattr(function, "__qualname__", type(function).__qualname__), known]
    cells = [_value(_contents(cell), inner) for cell in function.__closure__ or ()]
    defaults = [_value(function.__defaults__, inner), _value(function.__kwdefaults__, inner)]
    return [_code(function.__code__, inner), *defaults, *cells]


def _code(code: types.CodeType, outer: tuple[object, ...]) -> Json:
    return [code.co_code.hex(), [_value(each, outer) for each in code.co_consts], list(code.co_names)]


def _value(value: object, outer: tuple[object, ...]) -> Json:
    """A constant or a value closed over; what is no plain value is known by its type."""
    if isinstance(value, types.CodeType):
        return _code(value, outer)
    if isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
        return _function(value, outer)
    if isinstance(value, (tuple, list)):
        return [_value(item, outer) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, int):
        return repr(value)
    try:
        found = plain(value)
        digest(found)
    except (ValueError, RecursionError):
        return type(value).__qualname__
    return [type(value).__qualname__, found]


def _contents(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
