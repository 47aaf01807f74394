"""The project's graphs, as `langgraph.json` names them; LangGraph's own tools read the same file.

The file says `{"graphs": {"support": "./graphs/support.py:graph"}}`. What no file names is found by its
place, `agents/orders.py:orders`. Importing is all that happens here; nothing is bound or run.
"""

import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from interlock.core.places import is_place, normal
from interlock.errors import BadInput, InterlockError, NotFound

FILE = "langgraph.json"


@dataclass(frozen=True, slots=True)
class Registry:
    """The graphs of one project folder."""

    folder: Path
    graphs: Mapping[str, str]
    """Graph -> `path/to/file.py:name`, relative to the folder."""

    @classmethod
    def read(cls, folder: Path) -> "Registry":
        """Reads the folder's `langgraph.json`.

        Raises:
            BadInput: if there is none, or it does not name graphs.
        """
        path = folder / FILE
        try:
            found: object = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise BadInput(
                f"there is no {FILE} in {str(folder)!r}: change to a project's folder, or make one with "
                "`interlock new`."
            ) from None
        except json.JSONDecodeError as error:
            raise BadInput(f"{FILE}, line {error.lineno}, is not JSON: {error.msg}.") from error
        except (OSError, ValueError, RecursionError) as error:
            raise BadInput(f"{FILE} cannot be read: {error}.") from error
        graphs = cast("dict[str, object]", found).get("graphs") if isinstance(found, dict) else None
        if not isinstance(graphs, dict) or not graphs:
            raise BadInput(
                f'{FILE} names no graph: it needs {{"graphs": {{"NAME": "./graphs/NAME.py:graph"}}}}.'
            )
        entries = cast("dict[str, object]", graphs)
        return cls(folder, {name: _target(name, entry) for name, entry in entries.items()})

    @classmethod
    def of(cls, folder: Path, name: str) -> "Registry":
        """What finds `name`: a place is found in any folder, everything else needs a `langgraph.json`.

        Raises:
            BadInput: as `read`.
        """
        return cls(folder, {}) if is_place(name) else cls.read(folder)

    def load(self, name: str) -> object:
        """Imports the file of a graph and returns the object it names.

        Args:
            name: A graph that the registry names, or the place of a graph, a supervisor or an agent:
                `path/to/file.py:name`.

        Raises:
            NotFound: if there is no such graph, file or name.
            BadInput: if the file cannot be imported.
        """
        if name not in self.graphs and is_place(name):
            told, _, attribute = normal(name).rpartition(":")
            return self._found(told, attribute, f"there is no file {told!r} here", "")
        if name not in self.graphs:
            known = ", ".join(sorted(self.graphs))
            raise NotFound(
                f"there is no graph {name!r} in {FILE}; it names: {known}. An agent, or a graph it does not "
                "name, is given by its place: path/to/file.py:name."
            )
        told, _, attribute = self.graphs[name].rpartition(":")
        absent = f"graph {name!r} is said to be in {told!r}, but there is no such file"
        return self._found(told, attribute, absent, f", which {FILE} names as graph {name!r}")

    def _found(self, told: str, attribute: str, absent: str, why: str) -> object:
        file = (self.folder / told).resolve()
        if not file.is_file():
            raise NotFound(f"{absent}.")
        module = self._module(file, told)
        if not hasattr(module, attribute):
            there = ", ".join(sorted(n for n, found in vars(module).items() if _runs(found)))
            raise NotFound(
                f"{told} has no {attribute!r}{why}; it has: {there or 'no graph, supervisor or agent'}."
            )
        return getattr(module, attribute)

    def _module(self, file: Path, told: str) -> ModuleType:
        """The file as a module, under the name that the project's other files import it by."""
        folder = str(self.folder.resolve())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        name = _dotted(file, self.folder.resolve())
        known = sys.modules.get(name)
        if known is not None and getattr(known, "__file__", None) == str(file):
            return known
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise BadInput(f"{told} is not a Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(name, None)
            what = error.message if isinstance(error, InterlockError) else _told(error)
            raise BadInput(
                f"{_where(error, self.folder.resolve(), told)} cannot be imported: {what}"
            ) from error
        return module


def _runs(found: object) -> bool:
    """Says whether this is a graph, a supervisor or an agent, and no class of them."""
    thing = not isinstance(found, type | ModuleType)
    return thing and any(hasattr(found, each) for each in ("compile", "build", "node"))


def _target(name: str, entry: object) -> str:
    if isinstance(entry, dict):
        entry = cast("dict[str, object]", entry).get("path")
    if not isinstance(entry, str) or not all(entry.rpartition(":")):
        raise BadInput(f'{FILE}: graph {name!r} needs "path/to/file.py:name", and has {entry!r}.')
    return entry


def _dotted(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts if file.is_relative_to(folder) else ()
    return ".".join(parts) if parts and all(map(str.isidentifier, parts)) else f"interlock_graph_{file.stem}"


def _told(error: BaseException) -> str:
    text = (error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    return f"{type(error).__name__}{f': {text.splitlines()[0]}' if text else ''}."


def _where(error: BaseException, folder: Path, told: str) -> str:
    """The project's file and line that raised; the graph's own file where none did."""
    if isinstance(error, SyntaxError) and error.filename:
        places = [(error.filename, error.lineno)]
    else:
        places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    for name, line in reversed(places):
        file = Path(name)
        if file.is_relative_to(folder) and "site-packages" not in file.parts:
            return f"{file.relative_to(folder)}, line {line},"
    return told
