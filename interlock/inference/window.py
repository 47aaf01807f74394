"""Keeps a conversation within its model's window, and says what was left out.

The task, the first turns and the newest ones stay as they are. Of the turns between, the answers of
tools are cut first, oldest first; if that is not enough, the oldest turns are replaced by one line for
each call they made. A call and its answer are never parted. The rules read the conversation alone, so
that a body that is run again fits it the same way.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from interlock.core.canonical import digest
from interlock.core.results import Failed
from interlock.core.scope import TaskScope
from interlock.inference.answers import Unusable
from interlock.inference.messages import text_of

BYTES_PER_TOKEN = 3
"""English has about four; three leaves room for other scripts, digits and JSON."""
PER_MESSAGE = 8
"""Tokens that a message costs beside its words."""
FIRST_TURNS = 3
"""Turns at the beginning that are kept: what they found is what the rest is about."""
LAST_TURNS = 4
"""Turns at the end that are kept."""
_CUT, _LINE, _SHARE = 200, 160, 8
"""Characters that are left of a cut answer and of a call's line; the notes get one part in so many."""

Turn = list[BaseMessage]
"""A reply with the answers to its calls, or a message that stands alone."""


@dataclass(slots=True)
class Fitted:
    """A conversation as it is sent, and what was done to make it fit."""

    messages: list[BaseMessage]
    cut: list[str] = field(default_factory=list[str])
    """Digests of the answers that were cut."""
    dropped: list[str] = field(default_factory=list[str])
    """Digests of the messages that were replaced by notes."""
    notes: int = 0
    """Lines that stand for what was dropped."""


class Window(AgentMiddleware[Any, Any, Any]):
    """Fits every call of one task's model to a number of tokens."""

    def __init__(
        self, tokens: int, scope: TaskScope, changes: Callable[[str], bool], *, reply_tokens: int = 0
    ) -> None:
        """Takes the window; a part of it is kept free for the reply.

        Args:
            tokens: What question and reply may have together.
            scope: Where the manifest is noted.
            changes: Says whether a function changes the world; such calls are noted first.
            reply_tokens: What the reply may have; a quarter of the window or 4,096 where nothing is said.
        """
        super().__init__()
        self._tokens = tokens
        self._scope = scope
        self._changes = changes
        self._room = tokens - (min(reply_tokens, tokens // 2) or min(tokens // 4, 4_096))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Sends the conversation as it is where it fits, and fitted where it does not."""
        messages = cast("list[BaseMessage]", request.messages)
        fixed = [*([request.system_message] if request.system_message else [])]
        room = self._room - size(fixed) - _functions(request)
        if size(messages) <= room:
            return await handler(request)
        fitted = fit(messages, room, self._changes)
        if size(fitted.messages) > room:
            error = f"the task does not fit {self._scope.agent}'s model: its window is {self._tokens} tokens."
            raise Unusable(Failed(error=error, code="context_window"))
        self._tell(messages, fitted, room)
        return await handler(request.override(messages=cast("Any", fitted.messages)))

    def _tell(self, messages: Sequence[BaseMessage], fitted: Fitted, room: int) -> None:
        body: dict[str, Any] = {
            "rule": f"the task, the first {FIRST_TURNS} and the last {LAST_TURNS} turns stay; between them, "
            "tools' answers are cut oldest first, then turns are replaced by a line for each call",
            "window": self._tokens,
            "room": room,
            "messages": len(messages),
            "tokens": size(messages),
            "sent_messages": len(fitted.messages),
            "sent_tokens": size(fitted.messages),
            "cut": len(fitted.cut),
            "dropped": len(fitted.dropped),
            "notes": fitted.notes,
            "left_out": [*fitted.cut, *fitted.dropped],
        }
        self._scope.note("context.fitted", body, digest([body, len(messages)], "fitted")[:16])


def fit(messages: Sequence[BaseMessage], room: int, changes: Callable[[str], bool]) -> Fitted:
    """The conversation in at most `room` tokens, as far as the rules can bring it there."""
    fitted, whole = Fitted([]), turns_of(messages)
    free = max(0, room - size(whole[0]))  # the task is never cut; what it leaves is shared out
    longest = free // max(4, 2 * max(map(len, whole))) * BYTES_PER_TOKEN
    turns = [[_shorter(each, longest, fitted) for each in turn] for turn in whole]
    first, last = _kept(turns, free)
    middle = turns[first:last]
    over = sum(map(size, turns)) - room
    for number, turn in enumerate(middle):
        if over <= 0:
            break
        middle[number] = [_shorter(each, _CUT, fitted) for each in whole[first + number]]
        over += size(middle[number]) - size(turn)
    gone = 0
    notes: list[BaseMessage] = []
    if over > 0:  # the notes take room themselves: theirs is taken first
        over += free // _SHARE
        while gone < len(middle) and over > 0:
            over -= size(middle[gone])
            gone += 1
    if gone:
        notes, fitted.notes = _notes(middle[:gone], free // _SHARE, changes)
    fitted.dropped = [_name(each) for turn in whole[first : first + gone] for each in turn]
    fitted.cut = [name for name in fitted.cut if name not in fitted.dropped]
    fitted.messages = _flat(turns[:first], [notes], middle[gone:], turns[last:])
    return fitted


def turns_of(messages: Sequence[BaseMessage]) -> list[Turn]:
    """A conversation in pieces that must not be parted: each reply with the answers to its calls."""
    turns: list[Turn] = []
    for message in messages:
        if isinstance(message, ToolMessage) and turns:
            turns[-1].append(message)
        else:
            turns.append([message])
    return turns


def size(messages: Sequence[BaseMessage]) -> int:
    """Tokens of messages, rather too many than too few."""
    total = 0
    for message in messages:
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        words = len(text_of(message.content).encode()) + (len(json.dumps(calls)) if calls else 0)
        total += PER_MESSAGE + -(-words // BYTES_PER_TOKEN)
    return total


def _kept(turns: Sequence[Turn], room: int) -> tuple[int, int]:
    """Where the turns that may be cut begin and end; the task and the newest turn always stay."""
    first, used = 1, 0
    while first < min(1 + FIRST_TURNS, len(turns)) and used + size(turns[first]) <= room // 3:
        used += size(turns[first])
        first += 1
    last, used = max(len(turns) - 1, first), 0
    while last > first and len(turns) - last < LAST_TURNS and used + size(turns[last - 1]) <= room // 3:
        last -= 1
        used += size(turns[last])
    return first, last


def _shorter(message: BaseMessage, characters: int, fitted: Fitted) -> BaseMessage:
    """A tool's answer without its end where it is longer; anything else as it is."""
    text = text_of(message.content)
    if not isinstance(message, ToolMessage) or len(text.encode()) <= characters:
        return message
    name = _name(message)
    if name not in fitted.cut:
        fitted.cut.append(name)
    kept = text.encode()[:characters].decode(errors="ignore")
    return message.model_copy(update={"content": f"{kept} [... the rest of this answer was left out]"})


def _notes(turns: Sequence[Turn], room: int, changes: Callable[[str], bool]) -> tuple[list[BaseMessage], int]:
    """One line for each call of turns that are left out; effects first where room is short."""
    lines = [(changes(name), line) for turn in turns for name, line in _lines(turn)]
    order = sorted(range(len(lines)), key=lambda at: (not lines[at][0], -at))
    chosen: set[int] = set()
    left = room - 4 * PER_MESSAGE  # for the sentence around them
    for at in order:
        left -= -(-len(lines[at][1].encode()) // BYTES_PER_TOKEN) + 1
        if left < 0:
            break
        chosen.add(at)
    told = "".join(f"\n- {lines[at][1]}" for at in sorted(chosen))
    more = f"\n({len(lines) - len(chosen)} more calls are not listed.)" if len(chosen) < len(lines) else ""
    head = f"({len(turns)} earlier turns were left out to save room. What was called in them:"
    return [HumanMessage(f"{head}{told}{more})")], len(chosen)


def _lines(turn: Turn) -> list[tuple[str, str]]:
    """The calls of a turn, each in a line with the beginning of its answer."""
    reply, *answers = turn
    if not isinstance(reply, AIMessage):
        return [("", _begin(text_of(reply.content)))]
    told = {a.tool_call_id: text_of(a.content) for a in answers if isinstance(a, ToolMessage)}
    calls = reply.tool_calls
    if not calls:
        return [("", _begin(text_of(reply.content)))]
    return [
        (c["name"], _begin(f"{c['name']}({json.dumps(c['args'])}) -> {told.get(c['id'] or '', '')}"))
        for c in calls
    ]


def _begin(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LINE else f"{words[:_LINE]}..."


def _functions(request: ModelRequest[Any]) -> int:
    """Tokens of the functions a call offers, those that end it included."""
    specs = getattr(request.response_format, "schema_specs", [])
    endings = [{"name": each.name, "parameters": each.json_schema} for each in specs]
    offered = [convert_to_openai_tool(tool) for tool in request.tools]
    return -(-len(json.dumps([*offered, *endings])) // BYTES_PER_TOKEN)


def _flat(*parts: Sequence[Turn]) -> list[BaseMessage]:
    return [message for part in parts for turn in part for message in turn]


def _name(message: BaseMessage) -> str:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    answers = message.tool_call_id if isinstance(message, ToolMessage) else ""
    said = json.dumps([message.type, text_of(message.content), calls, answers], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:12]
