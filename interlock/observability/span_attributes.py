"""What the spans of agents, tools and models say of them."""

import json
import re
from decimal import Decimal, InvalidOperation

from interlock.core.canonical import Json
from interlock.observability import attributes as a
from interlock.observability.attributes import Attributes, Content, Level, kept, metadata, observed
from interlock.observability.facts import Fact

_LEVELS: dict[str, Level] = {"completed": "DEFAULT", "degraded": "WARNING", "gave_up": "WARNING"}


def agent(sent: Fact, back: Fact, content: Content) -> Attributes:
    """One attempt of a task: what it was given and what not, and what it returned."""
    status = back.note("status") or "failed"
    level = _LEVELS.get(status, "ERROR")
    given, output = sent.body.get("given"), back.body.get("output")
    told: dict[str, Json] = {
        "status": status,
        "code": back.note("code"),
        "round": sent.body.get("round"),
        "stands_in": content.words(sent.note("stands_in")),
        "feedback": content.words(sent.note("feedback")),
        "context_given": given,
        "context_omitted": sent.body.get("omitted"),
        "tried": content.value(back.body.get("tried")),
        "needs": content.words(back.note("needs")),
        "evidence": len(back.items("evidence")),
        "artifacts": [content.words(str(each.get("name"))) or "a file" for each in back.items("artifacts")],
    }
    values = {
        a.AGENT_NAME: sent.note("agent") or back.actor,
        a.AGENT_VERSION: sent.note("agent_version"),
        a.VERSION: sent.note("agent_version"),
        a.INPUT: content.value(given),
        a.OUTPUT: content.value(output),
        a.OUTPUT_BYTES: a.size(output) if output is not None else None,
        a.ERROR_TYPE: back.note("code") if level == "ERROR" else None,
    }
    return observed("agent", level, content.words(back.note("why"))) | metadata(told) | kept(values)


def tool(sent: Fact, back: Fact, level: Level, content: Content) -> Attributes:
    """One call of a tool: arguments, answer, and the rule that let it through."""
    arguments, answer = sent.body.get("arguments"), back.body.get("answer")
    error = back.part("error")
    told: dict[str, Json] = {
        "effect": back.note("state") if back.kind != "tool.read" else "none",
        "verdict": sent.note("verdict"),
        "rule": sent.note("rule"),
        "reason": content.words(sent.note("reason")),
        "policy": sent.note("policy"),
        "definition": sent.note("definition"),
        "receipt": sent.note("receipt"),
        "on_behalf_of": sent.note("user"),
        "by": back.note("by"),
        "answer_digest": back.note("digest"),
    }
    values = {
        a.TOOL_NAME: sent.note("tool"),
        a.TOOL_CALL: sent.note("call")[:32],
        a.MCP_METHOD: "tools/call",
        a.INPUT: content.value(arguments),
        a.TOOL_ARGUMENTS: content.value(arguments),
        a.OUTPUT: content.value(answer),
        a.TOOL_RESULT: content.value(answer),
        a.INPUT_BYTES: a.size(arguments) if arguments is not None else None,
        a.OUTPUT_BYTES: back.whole("bytes"),
        a.ERROR_TYPE: str(error.get("code") or "tool_error") if error else None,
    }
    status = content.words(str(error.get("message") or "")) if error else ""
    return observed("tool", level, status) | metadata(told) | kept(values)


def generation(fact: Fact, content: Content) -> Attributes:
    """One question to a model: the rendered prompt, the reply, tokens and cost."""
    failed = fact.kind == "model.failed"
    name, _, version = fact.note("prompt_version").partition("@")
    model, prompt, reply = fact.note("model"), fact.note("prompt"), _reply(fact)
    tokens_in, tokens_out = fact.whole("input_tokens"), fact.whole("output_tokens")
    provider, colon, _ = model.partition(":")
    # Only prompts that Langfuse keeps have its numbers, and only those can be linked to.
    kept_there = re.match(r"langfuse-(\d+)", version)
    told: dict[str, Json] = {
        "route": fact.note("route"),
        "prompt_version": version,
        "passed": fact.body.get("passed"),
        "reasoning": content.words(fact.note("reasoning")),
    }
    values = {
        a.MODEL: model,
        a.REQUEST_MODEL: model or fact.note("route"),
        a.RESPONSE_MODEL: model,
        a.PROVIDER: provider if colon else None,
        a.INPUT_TOKENS: tokens_in,
        a.OUTPUT_TOKENS: tokens_out,
        a.USAGE: _json({"input": tokens_in, "output": tokens_out}),
        a.COST: _json({"total": _usd(fact.note("usd"))}),
        a.FINISH: [fact.note("finish")] if fact.note("finish") else None,
        a.PROMPT_NAME: name,
        a.GEN_PROMPT_NAME: name,
        a.PROMPT_VERSION: int(kept_there[1]) if kept_there else None,
        a.INPUT: content.words(prompt),
        a.OUTPUT: content.words(reply),
        a.INPUT_MESSAGES: a.messages("user", content.words(prompt)),
        a.OUTPUT_MESSAGES: a.messages("assistant", content.words(reply)),
        a.INPUT_BYTES: a.size(prompt),
        a.OUTPUT_BYTES: a.size(reply),
        a.ERROR_TYPE: "model_unavailable" if failed else None,
    }
    status = content.words(fact.note("why") or "no model behind the route answered") if failed else ""
    return observed("generation", "ERROR" if failed else "DEFAULT", status) | metadata(told) | kept(values)


def _reply(fact: Fact) -> str:
    """What the model said: its text, and the tools that it wanted called."""
    wishes = [f"{each.get('name')}({json.dumps(each.get('arguments'))})" for each in fact.items("requests")]
    return "\n".join(part for part in (fact.note("text"), *wishes) if part)


def _usd(text: str) -> float | None:
    try:
        return float(Decimal(text)) if text else None
    except InvalidOperation:
        return None


def _json(values: dict[str, int | None] | dict[str, float | None]) -> str | None:
    known = {name: value for name, value in values.items() if value is not None}
    return json.dumps(known) if known else None
