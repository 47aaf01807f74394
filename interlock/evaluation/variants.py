"""What is played: a graph as it is, or with another model or another prompt."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from interlock.errors import BadInput

FORM = "NAME=GRAPH[,model=MODEL][,script=PLACE][,prompt=AGENT:FILE]"


class Variant(BaseModel, frozen=True, extra="forbid"):
    """One way to play a suite."""

    name: str = ""
    graph: str = ""
    """A graph that `langgraph.json` names, or `path/to/file.py:name`; empty for the suite's own."""
    model: str = ""
    """A model route, or a model as settings name one, that every route stands for; empty: as configured."""
    script: str = ""
    """What answers while no model is configured: `path/to/file.py:name`; empty: as configured."""
    prompts: dict[str, str] = {}
    """Agent -> the text of its prompt, in place of its file's."""

    @classmethod
    def parse(cls, name: str, text: str, project: Path) -> "Variant":
        """Reads what stands after the name: parts with commas between them.

        Raises:
            BadInput: if it cannot be read, or a prompt's file cannot.
        """
        found: dict[str, str] = {}
        prompts: dict[str, str] = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            word, equals, value = part.partition("=")
            if equals and word == "prompt":
                agent, _, file = value.partition(":")
                prompts[agent] = _text(name, project / file)
            elif equals and word not in ("model", "script"):
                raise BadInput(f"variant {name}: {word!r} is none of model, script, prompt: write {FORM}.")
            elif (word if equals else "graph") in found:
                raise BadInput(f"variant {name} names two of the same: {part!r}.")
            else:
                found[word if equals else "graph"] = value if equals else part
        return cls(name=name, prompts=prompts, **found)


def variants_of(given: Iterable[str], declared: Mapping[str, str], project: Path) -> list[Variant]:
    """The variants that are compared: those given, else those of the suite.

    Raises:
        BadInput: if one cannot be read, two have the same name, or there is nothing to compare.
    """
    pairs = [tuple(each.partition("=")[::2]) for each in given] or list(declared.items())
    for name, text in pairs:
        if not name.strip() or not text.strip():
            raise BadInput(f"{name or text!r} is no variant: write --variant {FORM}.")
    names = [name.strip() for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"two variants are called {twice[0]!r}: give each a name of its own.")
    if len(pairs) < 2:
        raise BadInput(
            f"there is nothing to compare: give at least two, each as --variant {FORM}, or name them under "
            "[variants] in suite.toml."
        )
    return [Variant.parse(name.strip(), text, project) for name, text in pairs]


def _text(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise BadInput(f"variant {name}: the prompt {str(file)!r} cannot be read: {why}.") from error
