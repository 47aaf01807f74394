"""The review card: what a person needs to answer one question, on one small screen.

Everything on it but the labels is foreign text (arguments, answers of tools, drafts), so it is put
on one line, shortened and made harmless; only our labels begin a line.
"""

from collections.abc import Mapping
from datetime import datetime

from interlock.core.canonical import Json
from interlock.core.policy import OWNER
from interlock.core.questions import Question, QuestionKind
from interlock.observability.wording import fields, folded, harmless, shorten, shown, span

LINES, WIDTH = 12, 100
"""A card is never longer or wider."""
_LABEL = 10
_ROOM = WIDTH - _LABEL
_NAMES: dict[QuestionKind, str] = {
    "approve": "Approval",
    "clarify": "Question",
    "settle": "To be settled",
    "review": "Review",
    "relay": "Relayed question",
}
_ON_NO: dict[QuestionKind, str] = {
    "approve": "the call is not made, and the agent is told so.",
    "clarify": "the agent is told that nobody answered.",
    "settle": "it counts as not done.",
    "review": "the response does not leave; the request is refused.",
    "relay": "the remote agent is told no.",
}
_KNOWN = frozenset(
    {
        "tool", "arguments", "call", "definition", "user", "rule", "reason", "whom", "facts", "evidence",
        "on_no", "key", "response", "problems", "why", "value",
    }
)  # fmt: skip
"""Details that have a line of their own, or are digests for machines."""


def card(question: Question, now: datetime) -> list[str]:
    """At most 12 lines of at most 100 characters; `now` is what times are told relative to."""
    asked = span((now - question.asked_at).total_seconds())
    head = (
        f"{_NAMES[question.kind]} {question.id} · asked by {question.agent} {asked} ago · run {question.run}"
    )
    about = _part("What", _what(question), 1 if question.details.get("arguments") else 2)
    about += _subject(question)
    about += _part("Why", _why(question), 2)
    about += _evidence(question.details.get("evidence"))
    end = _part("Who", _who(question, now), 1)
    if question.state == "open" and now < question.expires_at:
        end += _part("On no", _text(question.details, "on_no") or _ON_NO[question.kind], 1)
        end += _part("Answer", _how(question), 1)
    else:
        end += _part("State", _state(question), 1)
    return [shorten(head, WIDTH), *about[: LINES - 1 - len(end)], *end]


def _part(label: str, text: str, most: int) -> list[str]:
    """A labelled part; lines after the first begin with spaces, so that foreign text never begins one."""
    folds = folded(text, _ROOM, most)
    return [f"{label if n == 0 else '':<{_LABEL}}{fold}" for n, fold in enumerate(folds)]


def _what(question: Question) -> str:
    title = harmless(question.title)
    if question.details.get("arguments"):
        # The title repeats the arguments unshortened; they have a line of their own.
        title = title.partition(": ")[0] if question.kind == "approve" else title.partition(" with {")[0]
    return title or "(no title was given)"


def _subject(question: Question) -> list[str]:
    """To whom and how much: the arguments, the draft, or what else there is."""
    details = question.details
    arguments = details.get("arguments")
    lines: list[str] = []
    if isinstance(arguments, Mapping) and arguments:
        lines += _part("With", fields(arguments, 2 * _ROOM - 30), 2)
    if _text(details, "tool"):
        user = _text(details, "user")
        lines += _part("Call", _text(details, "tool") + (f", on behalf of {user}" if user else ""), 1)
    if lines:
        return lines
    if "response" in details:
        return _part("Response", shown(details["response"], 3 * _ROOM), 3)
    rest = {name: value for name, value in details.items() if name not in _KNOWN}
    value = details.get("value")
    if isinstance(value, Mapping):
        rest |= value
    lines = _part("Details", fields(rest, 2 * _ROOM), 2) if rest else []
    return lines + (_part("Takes", _takes(question.answer_schema), 1) if question.kind != "settle" else [])


def _takes(schema: Mapping[str, Json]) -> str:
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return "one of: " + shown(choices, _ROOM - 10)
    wanted = schema.get("properties")
    if isinstance(wanted, Mapping) and wanted:
        return "fields: " + shown(list(wanted), _ROOM - 10)
    return f"a value of type {shown(schema['type'])}" if schema.get("type") else ""


def _why(question: Question) -> str:
    details = question.details
    reason = _text(details, "reason")
    if reason:
        return f"rule: {reason}"
    told = _text(details, "problems") or _text(details, "why")
    if not told and question.kind == "settle":
        return "it was sent, and no answer came back."
    return told


def _evidence(evidence: Json) -> list[str]:
    if not isinstance(evidence, list) or not evidence:
        return []
    told: list[str] = []
    for each in evidence[-2:]:
        if isinstance(each, Mapping):
            source = shorten(str(each.get("source", "somebody")), 30)
            told.append(shorten(f"{source} said {shown(each.get('value'), 60)}", _ROOM))
        else:
            told.append(shorten(shown(each, 60), _ROOM))
    return [f"{'Evidence' if n == 0 else '':<{_LABEL}}{text}" for n, text in enumerate(told)]


def _who(question: Question, now: datetime) -> str:
    whom = "the run's owner" if question.whom == OWNER else harmless(question.whom)
    left = (question.expires_at - now).total_seconds()
    until = f"within {span(left)}" if left > 0 else f"expired {span(-left)} ago"
    return f"{shorten(whom, 50)} may answer, {until}"


def _how(question: Question) -> str:
    name = harmless(question.id)
    if question.kind == "settle":
        told = "" if "tool" in question.details else " (that is yes and no)"
        return f"interlock effects settle {name} --happened or --did-not-happen{told}"
    if question.in_words:
        return f'interlock approvals approve {name} --answer "…" or: reject {name}'
    return f'interlock approvals approve {name} or: reject {name} --comment "why"'


def _state(question: Question) -> str:
    if question.state == "answered":
        answer = question.answer
        yes = answer.get("yes") if isinstance(answer, Mapping) else None
        told = shown(answer, 30) if yes is None else "yes" if yes else "no"
        comment = f": {question.comment}" if question.comment else ""
        return f"{shorten(question.answered_by or 'somebody', 30)} answered {told}{comment}"
    return (
        "withdrawn: it is not asked any more" if question.state == "withdrawn" else "expired: nobody answered"
    )


def _text(details: Mapping[str, Json], name: str) -> str:
    value = details.get(name)
    return "" if value is None else harmless(value) if isinstance(value, str) else shown(value)
