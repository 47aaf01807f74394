"""What a caller says, as a request or as an answer: strict, so that nothing is guessed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import ContentTypeNotSupportedError
from google.protobuf import json_format, struct_pb2

from interlock.a2a.envelope import Answered, answered
from interlock.core.canonical import Json
from interlock.core.hosting import Offer
from interlock.core.questions import Question
from interlock.errors import AnswerRefused, BadInput

_YES_OR_NO = ("approve", "review", "settle")
_WORDS = {"yes": True, "no": False}


def request_of(parts: Sequence[pb.Part], offer: Offer) -> Json:
    """The request in a message: its data parts, with its text in the one field that takes text.

    Raises:
        BadInput: if the message holds something else, or text that no field is known for.
    """
    texts, data = _split(parts)
    if any(not isinstance(each, dict) for each in data):
        raise BadInput("the data of a request must be a JSON object.")
    request: dict[str, Json] = {}
    for each in data:
        request |= cast("dict[str, Json]", each)
    text = "\n".join(texts).strip()
    if text and not data and _object(text) is not None:
        return cast("Json", _object(text))
    if text:
        field = text_field(offer.request)
        if field is None and not data:
            raise BadInput(
                f"{offer.name} takes no plain text: send a data part of this schema: {_shown(offer.request)}"
            )
        if field is not None and field not in request:
            request[field] = text
    return request


def text_field(schema: Mapping[str, Json]) -> str | None:
    """The field that takes plain text: the only required text, or the only text there is."""
    if not schema:
        return "text"
    fields, required = schema.get("properties"), schema.get("required")
    if not isinstance(fields, dict):
        return None
    texts = [name for name, field in fields.items() if isinstance(field, dict) and _is_text(field)]
    needed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    if len(needed) > 1 or any(name not in texts for name in needed):
        return None
    if needed:
        return needed[0]
    return texts[0] if len(texts) == 1 else None


def answers_of(parts: Sequence[pb.Part], asked: Sequence[Question]) -> list[Answered]:
    """The answers in a message to a task that asks.

    Data names its question, unless there is only one; text answers the only one.

    Raises:
        AnswerRefused: if it cannot be told what is answered with what; nothing was answered.
    """
    texts, data = _split(parts)
    text = "\n".join(texts).strip()
    given = [_answered(each, asked) for each in data]
    if len({each.question for each in given}) < len(given):
        raise AnswerRefused("the message answers one question twice: answer each once.")
    if given:
        return given
    if not text:
        raise AnswerRefused("the message holds no answer: send text, or a data part with `question`.")
    if (one := _object(text)) is not None and "question" in one:
        return [_answered(one, asked)]
    return [_in_words(text, _only(asked))]


def _answered(data: Json, asked: Sequence[Question]) -> Answered:
    if isinstance(data, dict) and "question" not in data and len(asked) == 1:
        data = {"question": asked[0].id, **data}
    found = answered(data)
    if found is None:
        raise AnswerRefused(
            'an answer has `question` and `yes` (true or false) or `value`: {"question": "q-…", "yes": true}.'
        )
    if found.question not in {question.id for question in asked}:
        raise AnswerRefused(f"question {found.question} is not open in this task, or is not for you.")
    return found


def _only(asked: Sequence[Question]) -> Question:
    if len(asked) != 1:
        ids = ", ".join(question.id for question in asked)
        raise AnswerRefused(f"several questions are open ({ids}): name one, in a data part.")
    return asked[0]


def _in_words(text: str, question: Question) -> Answered:
    if question.kind in _YES_OR_NO:
        yes = _WORDS.get(text.rstrip(".!").strip().lower())
        if yes is None:
            raise AnswerRefused(f"question {question.id} takes yes or no, and nothing else.")
        return Answered(question=question.id, yes=yes)
    schema = question.answer_schema
    if not schema or schema.get("type") == "string" or text in _enum(schema):
        return Answered(question=question.id, value=text)
    try:
        return Answered(question=question.id, value=json.loads(text))
    except (ValueError, RecursionError):
        raise AnswerRefused(f"question {question.id} takes JSON of this schema: {_shown(schema)}") from None


def _enum(schema: Mapping[str, Json]) -> list[Json]:
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else []


def _split(parts: Sequence[pb.Part]) -> tuple[list[str], list[Json]]:
    """The texts and the data of a message.

    Raises:
        ContentTypeNotSupportedError: for files: nothing here reads them.
    """
    texts: list[str] = []
    data: list[Json] = []
    for part in parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            texts.append(part.text)
        elif kind == "data":
            data.append(_whole(as_json(part.data)))
        elif kind is not None:
            raise ContentTypeNotSupportedError("files cannot be taken here: send text or data.")
    return texts, data


def as_json(data: struct_pb2.Value | struct_pb2.Struct) -> Any:  # noqa: ANN401
    """Data or metadata of a message as JSON.

    Raises:
        BadInput: it holds NaN or an infinity, which gRPC can carry and JSON has no word for.
    """
    try:
        return json_format.MessageToDict(data)
    except (ValueError, json_format.Error):
        raise BadInput("data and metadata must be JSON: NaN and infinity are no numbers there.") from None


def _whole(value: Any) -> Json:  # noqa: ANN401
    """JSON with its whole numbers whole again: A2A makes a float of every number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {str(name): _whole(item) for name, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[Any]", value)]
    return value


def _object(text: str) -> dict[str, Json] | None:
    if not text.startswith("{"):
        return None
    try:
        found: object = json.loads(text)
    except RecursionError:
        raise BadInput("the request is nested too deeply to be read: flatten it.") from None
    except ValueError:
        return None
    return cast("dict[str, Json]", found) if isinstance(found, dict) else None


def _is_text(field: Mapping[str, Json]) -> bool:
    return field.get("type") == "string" and "enum" not in field and "format" not in field


def _shown(schema: Mapping[str, Json]) -> str:
    return json.dumps(dict(schema), ensure_ascii=False)
