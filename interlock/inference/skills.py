"""Skills of a model body: named in its prompt, read by it when it needs one."""

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.core.scope import TaskScope
from interlock.core.skills import FILE, Skill
from interlock.inference.prompts import LOAD_SKILL
from interlock.inference.toolbox import Answering, Told, function, refusal

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "The skill's name."},
        "file": {"type": "string", "description": f"A file of its folder; {FILE} if left out."},
    },
    "required": ["name"],
}


OFFER = function(LOAD_SKILL, "Reads a skill: how something is done here.", _SCHEMA)
"""What a model with skills is offered beside its tools."""


def reader(skills: Sequence[Skill], scope: TaskScope) -> Answering:
    """Answers a model that wants to read a skill.

    What it may read was read when the agent was made: a path is only a name here, and leads nowhere else.
    """
    known = {skill.name: skill for skill in skills}

    async def load_skill(arguments: Mapping[str, Any]) -> Told:
        name, file = str(arguments.get("name", "")), str(arguments.get("file") or FILE)
        skill = known.get(name)
        if skill is None:
            return refusal(f"there is no skill {name!r}; there are {', '.join(sorted(known))}.")
        text = skill.files.get(file)
        if text is None:
            return refusal(f"skill {name} has no file {file!r}; it has {', '.join(sorted(skill.files))}.")
        body = {"skill": name, "file": file, "skill_version": skill.version, "bytes": len(text.encode())}
        scope.note("skill.loaded", body, f"{name}/{file}")
        others = sorted(each for each in skill.files if each not in (FILE, file))
        more = f"\n\n(This skill also has: {', '.join(others)}.)" if others and file == FILE else ""
        return Told(f"{text}{more}")

    return load_skill
