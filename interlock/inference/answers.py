"""What a model's replies come to: a result, giving up, or calls; corrected a few times, never for ever.

The rules work on the conversation alone, so that a body that is run again decides the same.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from interlock.core.results import Failed, GaveUp
from interlock.inference.messages import text_of
from interlock.inference.prompts import ANSWER, GIVE_UP, first_object
from interlock.inference.toolbox import REFUSED, Told, Toolbox, as_message, refusal

CORRECTIONS = 2
"""How often in one attempt a result that does not fit is sent back to the model."""
REPEATS = 3
"""How often the same call may be made; and how many more such calls are refused before the task fails."""


Call: TypeAlias = tuple[ToolCall, ToolMessage | None]
"""A call of a conversation with its answer; None where there is none yet."""


class GivingUp(BaseModel):
    """Says that the task cannot be done here; a person takes it from there."""

    reason: str = Field(min_length=1, description="Why it cannot be done.")
    tried: tuple[str, ...] = Field(default=(), description="What was tried.")
    needs: str = Field(default="", description="What would be needed.")


class Unusable(Exception):
    """Ends the body: its replies stay what they are, however often they are corrected."""

    def __init__(self, came_to: object) -> None:
        """Takes what the body returns instead: the raw output, for quarantine, or `Failed`."""
        super().__init__("a model's replies cannot be used")
        self.came_to = came_to


class Answers(AgentMiddleware[Any, Any, Any]):
    """Reads each reply of one task's model."""

    def __init__(self, output: TypeAdapter[Any], toolbox: Toolbox, agent: str, *, loops: bool = True) -> None:
        """Takes the output's schema and the tools that may be called; `loops` is the guard against them."""
        super().__init__()
        self._output = output
        self._wrapped = not _is_object(output.json_schema())
        self._toolbox = toolbox
        self._agent = agent
        self._loops = loops
        self._corrections = 0

    @property
    def functions(self) -> ToolStrategy[Any]:
        """The functions that end the conversation: the result and giving up."""
        answer = self._output.json_schema()
        if self._wrapped:
            definitions = {"$defs": answer.pop("$defs")} if "$defs" in answer else {}
            properties = {"output": answer}
            answer = {"type": "object", "properties": properties, "required": ["output"], **definitions}
        done = {**answer, "title": ANSWER, "description": "The result of the task; this ends it."}
        words = str(GivingUp.__doc__)
        leaving = {**GivingUp.model_json_schema(), "title": GIVE_UP, "description": words}
        return ToolStrategy({"oneOf": [done, leaving]})

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Asks until the reply is a result or a call; words alone are answered with what is missing."""
        before, said = list(request.messages), list[BaseMessage]()
        while True:
            response = await handler(request.override(messages=cast("Any", [*before, *said])))
            reply = next(each for each in response.result if isinstance(each, AIMessage))
            if reply.tool_calls or reply.invalid_tool_calls:
                answers, done = self._calls(reply, [*before, *said])
                return ModelResponse(result=[*said, reply, *answers], structured_response=done)
            done, problem = self._words(text_of(reply.content))
            said.append(reply)
            if done is not None:
                return ModelResponse(result=said, structured_response=done)
            said.append(HumanMessage(problem))

    def _calls(self, reply: AIMessage, before: Sequence[BaseMessage]) -> tuple[list[BaseMessage], object]:
        """Answers to those calls of a reply that no tool answers, and the result where it is one."""
        endings = [call for call in reply.tool_calls if call["name"] in (ANSWER, GIVE_UP)]
        others = [call for call in reply.tool_calls if call not in endings]
        if len(endings) == 1 and not others:
            done, problem = self._ending(endings[0])
            told = Told("Taken.") if done is not None else Told(problem, refused=True)
            return [_answer(endings[0], told)], done
        answers = [self._not_alone(call, endings) for call in endings]
        if self._loops:
            answers += self._refused(others, before)
        return answers, None

    def _refused(self, calls: Sequence[ToolCall], before: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Answers to those calls that are not made once more."""
        # Each call is named once: a reply may hold hundreds, and comparing each with each blocks every run.
        alike: dict[tuple[str, str], list[ToolMessage | None]] = {}
        for call, answer in _earlier(before):
            alike.setdefault(self._named(call), []).append(answer)
        answers: list[BaseMessage] = []
        for call in calls:
            same = alike.setdefault(self._named(call), [])
            if problem := self._repeated(call, same):
                answers.append(_answer(call, refusal(problem)))
            same.append(None)
        return answers

    def _named(self, call: ToolCall) -> tuple[str, str]:
        """Equal for calls that mean the same."""
        return call["name"], self._toolbox.same(call["name"], call["args"])

    def _ending(self, call: ToolCall) -> tuple[object, str]:
        """The result that a call is; else what is wrong with it."""
        if call["name"] == GIVE_UP:
            return self._left(call["args"])
        return self._fits(self._bare(call["args"]))

    def _words(self, text: str) -> tuple[object, str]:
        """The result that plain words are, for models that call no functions."""
        found = first_object(text)
        if found is not None and set(found) == {GIVE_UP}:
            return self._left(found[GIVE_UP])
        if found is not None:
            return self._fits(self._bare(found.get(ANSWER) if set(found) == {ANSWER} else found))
        if _is_text(self._output.json_schema()) and text:
            return self._fits(text)
        return None, self._correct(text, f"Reply by calling `{ANSWER}` or `{GIVE_UP}`, not in words.")

    def _bare(self, raw: Any) -> Any:  # noqa: ANN401
        """The output without the object around it that functions need."""
        if self._wrapped and isinstance(raw, dict) and set(cast("dict[str, Any]", raw)) == {"output"}:
            return cast("dict[str, Any]", raw)["output"]
        return cast("Any", raw)

    def _fits(self, raw: Any) -> tuple[object, str]:  # noqa: ANN401
        try:
            return _Done(self._output.validate_json(json.dumps(raw))), ""
        except (ValidationError, ValueError) as error:
            told = f"It does not fit: {_misfit(error)}. Call `{ANSWER}` again, corrected, or `{GIVE_UP}`."
            return None, self._correct(raw, told)

    def _left(self, raw: Any) -> tuple[object, str]:  # noqa: ANN401
        try:
            said = GivingUp.model_validate({"reason": raw} if isinstance(raw, str) else raw)
        except ValidationError as error:
            return None, self._correct(raw, f"It does not fit: {_misfit(error)}. Call `{GIVE_UP}` again.")
        return _Done(GaveUp(reason=said.reason, tried=said.tried, needs=said.needs)), ""

    def _not_alone(self, call: ToolCall, endings: Sequence[ToolCall]) -> BaseMessage:
        told = (
            f"Call `{ANSWER}` or `{GIVE_UP}` once."
            if len(endings) > 1
            else "First read what the tools answer; then give the result, alone."
        )
        failed = Failed(
            error=f"{self._agent}'s model gave no single result.", code="no_result", retryable=True
        )
        return _answer(call, Told(self._correct(failed, told), refused=True))

    def _correct(self, raw: object, told: str) -> str:
        """Counts a correction.

        Raises:
            Unusable: if there were too many; the raw output goes where no output travels further.
        """
        self._corrections += 1
        if self._corrections > CORRECTIONS:
            raise Unusable(raw)
        return f"{REFUSED}{told}"

    def _repeated(self, call: ToolCall, same: Sequence[ToolMessage | None]) -> str:
        """Why a call is not made once more, going by the answers to the same one; empty if it may be made.

        Raises:
            Unusable: if the model goes on with it all the same.
        """
        done = [text_of(answer.content) for answer in same if answer and answer.status != "error"]
        refused = any(answer is not None and answer.artifact for answer in same)
        if self._toolbox.changes(call["name"]) and (done or None in same):
            told = (
                f"this was done already, and is not done again. It answered: {done[0]}"
                if done
                else ("the same call stands in this reply already.")
            )
        elif refused:
            told = "a person said no to this call, and is not asked again."
        elif len(same) >= REPEATS:
            told = f"the same call was made {len(same)} times. Use what it answered, or call `{GIVE_UP}`."
        else:
            return ""
        if len(same) >= 2 * REPEATS:
            why = f"{self._agent}'s model made the same call {len(same)} times ({call['name']})."
            raise Unusable(Failed(error=why, code="loop"))
        return told


class _Done:
    """Holds a result, because one may be empty or None."""

    def __init__(self, value: object) -> None:
        self.value = value


def result_of(held: object) -> object:
    """The result in what the graph ended with.

    Raises:
        Unusable: if it ended without one.
    """
    if not isinstance(held, _Done):
        raise Unusable(Failed(error="the model stopped without a result.", code="no_result", retryable=True))
    return held.value


def _earlier(messages: Sequence[BaseMessage]) -> list[Call]:
    """The calls of a conversation in order, each with its answer; None where there is none yet."""
    calls: list[Call] = []
    newest = 0  # ids are unique within one reply, and not always beyond it
    for message in messages:
        if isinstance(message, AIMessage):
            newest = len(calls)
            calls += [(call, None) for call in message.tool_calls]
        elif isinstance(message, ToolMessage):
            name = message.tool_call_id
            calls[newest:] = [(c, message if c["id"] == name else known) for c, known in calls[newest:]]
    return calls


def _answer(call: ToolCall, told: Told) -> ToolMessage:
    return as_message(told, call["name"], call["id"])


def _misfit(error: ValueError) -> str:
    """What is wrong with a value, in words that say where, without the value itself."""
    if not isinstance(error, ValidationError):
        return "it is nothing JSON has a word for"
    first = error.errors()[:5]
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in first)


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and "properties" in schema


def _is_text(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "string"
