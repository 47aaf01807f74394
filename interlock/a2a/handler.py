"""Implements the SDK's request handler on runs: an A2A task is a run, its context is the run's session."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from weakref import WeakValueDictionary

from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import Event
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import a2a_pb2 as pb
from a2a.utils import errors as a2a
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length, validate_history_length, validate_page_size

from interlock.a2a import envelope, messages, projection
from interlock.a2a.pushes import Pushes
from interlock.a2a.refusals import guarded, guarded_stream
from interlock.core.canonical import Json
from interlock.core.hosting import CALLER, ENDED, RESTING, Hosting, View, Wanted
from interlock.core.limits import Limits
from interlock.core.principal import Principal
from interlock.core.questions import Answer
from interlock.errors import AnswerRefused, BadInput, WrongState

_CONTEXT = re.compile(r"[\w.:@/+=-]{1,128}")
_LONGEST_ID = 1_000


class TaskHandler(RequestHandler):
    """Answers every A2A method for the graphs of one server."""

    def __init__(self, hosts: Mapping[str, Hosting], default: str, pushes: Pushes | None) -> None:
        """Takes the hosted graphs by the name they are addressed with (A2A's tenant).

        Args:
            hosts: Name -> graph.
            default: The graph for requests that name none.
            pushes: Where notifications are asked for; without it there are none.
        """
        self._hosts = hosts
        self._default = default
        self._pushes = pushes
        self._answers: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @guarded
    async def on_message_send(self, params: pb.SendMessageRequest, context: ServerCallContext) -> pb.Task:
        """Starts a task, or answers what one asks, and waits until it rests."""
        host, who = self._called(context)
        run, note = await self._receive(host, who, params, context)
        at_once = params.configuration.return_immediately or bool(note)
        view = await host.view(run, who) if at_once else await host.settled(run, who)
        modes = params.configuration.accepted_output_modes
        return apply_history_length(projection.task(view, modes=modes, note=note), params.configuration)

    @guarded_stream
    async def on_message_send_stream(
        self, params: pb.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Starts a task, or answers what one asks, and tells what happens until it rests."""
        host, who = self._called(context)
        run, note = await self._receive(host, who, params, context)
        view = await host.view(run, who)
        modes = params.configuration.accepted_output_modes
        yield apply_history_length(projection.task(view, modes=modes, note=note), params.configuration)
        if not note and view.phase not in ENDED:
            async with aclosing(self._told(host, who, view, list(modes), to_end=False)) as told:
                async for event in told:
                    yield event

    @guarded_stream
    async def on_subscribe_to_task(
        self, params: pb.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Tells how a task stands, and what happens from now on until it ends."""
        validate_proto_required_fields(params)
        host, who = self._called(context)
        view = await host.view(params.id, who)
        if view.phase in ENDED:
            raise a2a.UnsupportedOperationError(f"task {params.id} has ended: get it instead.")
        yield projection.task(view)
        async with aclosing(self._told(host, who, view, [], to_end=True)) as told:
            async for event in told:
                yield event

    @guarded
    async def on_get_task(self, params: pb.GetTaskRequest, context: ServerCallContext) -> pb.Task:
        """The task as it stands."""
        validate_proto_required_fields(params)
        validate_history_length(params)
        host, who = self._called(context)
        return apply_history_length(projection.task(await host.view(params.id, who)), params)

    @guarded
    async def on_list_tasks(
        self, params: pb.ListTasksRequest, context: ServerCallContext
    ) -> pb.ListTasksResponse:
        """The caller's tasks, newest change first."""
        validate_history_length(params)
        if params.HasField("page_size"):
            validate_page_size(params.page_size)
        host, who = self._called(context)
        wanted = Wanted(
            session=params.context_id or None,
            phase=projection.PHASES.get(params.status),
            changed_after=_moment(params),
            size=params.page_size or 50,
            after=_place(params.page_token),
        )
        page = await host.list(who, wanted)
        tasks = [apply_history_length(projection.task(view), params) for view in page.views]
        if not params.include_artifacts:
            for task in tasks:
                task.ClearField("artifacts")
        return pb.ListTasksResponse(
            tasks=tasks,
            next_page_token="|".join(page.next) if page.next else "",
            page_size=wanted.size,
            total_size=page.total,
        )

    @guarded
    async def on_cancel_task(self, params: pb.CancelTaskRequest, context: ServerCallContext) -> pb.Task:
        """Stops the task, whether it works or waits."""
        validate_proto_required_fields(params)
        host, who = self._called(context)
        try:
            return projection.task(await host.cancel(params.id, who))
        except WrongState:
            raise a2a.TaskNotCancelableError(f"task {params.id} has ended already.") from None

    @guarded
    async def on_create_task_push_notification_config(
        self, params: pb.TaskPushNotificationConfig, context: ServerCallContext
    ) -> pb.TaskPushNotificationConfig:
        """Asks for notifications about a task."""
        validate_proto_required_fields(params)
        pushes, who = await self._own(params.task_id, context)
        return await pushes.put(params, who)

    @guarded
    async def on_get_task_push_notification_config(
        self, params: pb.GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> pb.TaskPushNotificationConfig:
        """What was asked for under one id."""
        validate_proto_required_fields(params)
        pushes, _ = await self._own(params.task_id, context)
        for found in await pushes.list(params.task_id):
            if found.id == params.id:
                return found
        raise a2a.TaskNotFoundError(f"task {params.task_id} has no push configuration of that id.")

    @guarded
    async def on_list_task_push_notification_configs(
        self, params: pb.ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> pb.ListTaskPushNotificationConfigsResponse:
        """Every configuration of a task."""
        validate_proto_required_fields(params)
        pushes, _ = await self._own(params.task_id, context)
        return pb.ListTaskPushNotificationConfigsResponse(configs=await pushes.list(params.task_id))

    @guarded
    async def on_delete_task_push_notification_config(
        self, params: pb.DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Ends notifications; ending them twice is harmless."""
        validate_proto_required_fields(params)
        pushes, _ = await self._own(params.task_id, context)
        await pushes.delete(params.task_id, params.id)

    @guarded
    async def on_get_extended_agent_card(
        self, params: pb.GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> pb.AgentCard:
        """There is none: the card says everything."""
        raise a2a.UnsupportedOperationError("there is no extended card: the public one says everything.")

    async def _receive(
        self, host: Hosting, who: Principal, params: pb.SendMessageRequest, context: ServerCallContext
    ) -> tuple[str, str]:
        """Takes a message: the task's id, and why the message changed nothing (empty if it did)."""
        validate_proto_required_fields(params)
        validate_history_length(params.configuration)
        config = params.configuration.task_push_notification_config
        wants_pushes = params.configuration.HasField("task_push_notification_config")
        message = params.message
        if wants_pushes:
            await self._told_to.check(config)
            if message.task_id and not (await host.view(message.task_id, who)).own:
                raise BadInput(f"notifications about task {message.task_id} are for its owner to ask for.")
        if len(message.message_id) > _LONGEST_ID:
            raise BadInput(f"a messageId has at most {_LONGEST_ID} characters.")
        if message.task_id:
            run = message.task_id
            async with self._answers.setdefault(run, asyncio.Lock()):  # sent twice at once, it is taken once
                note = await self._follow_up(host, who, message)
        else:
            headers = context.state.get("headers", {})
            run, note = await self._begin(host, who, params, str(headers.get("traceparent", ""))), ""
        if wants_pushes:
            config.task_id = run
            await self._told_to.put(config, who)
        return run, note

    async def _begin(self, host: Hosting, who: Principal, params: pb.SendMessageRequest, trace: str) -> str:
        message = params.message
        if message.context_id and not _CONTEXT.fullmatch(message.context_id):
            raise BadInput("a contextId has at most 128 letters, digits and any of . : @ / + = _ -")
        metadata = messages.as_json(message.metadata) | messages.as_json(params.metadata)
        given = envelope.read(metadata)
        return await host.start(
            messages.request_of(message.parts, host.offer),
            who,
            key=f"a2a:{given.key or message.message_id}",
            session=message.context_id or None,
            limits=_limits(given),
            trace=given.traceparent or trace,
        )

    async def _follow_up(self, host: Hosting, who: Principal, message: pb.Message) -> str:
        """Takes an answer; returns why it was not taken, or nothing."""
        view = await host.view(message.task_id, who)
        run = view.run
        if message.context_id and message.context_id != run.session:
            raise a2a.InvalidParamsError(
                f"task {run.id} is of another context than {message.context_id!r:.140}."
            )
        if await host.heard(run.id, message.message_id):
            return ""  # sent again because its answer was lost
        if view.phase in ENDED:
            raise a2a.UnsupportedOperationError(f"task {run.id} has ended: send a message without its id.")
        if view.phase == "waits":
            return "Your message was not taken: this task waits for somebody else."
        if not view.asked:
            raise a2a.UnsupportedOperationError(
                f"task {run.id} is at work and asks nothing: wait, or cancel it."
            )
        try:
            for given in messages.answers_of(message.parts, view.asked):
                value: Json = given.value
                answer = Answer(
                    question=given.question, by=who, yes=given.yes, value=value, comment=given.comment
                )
                await host.answer(answer)
        except AnswerRefused as refused:
            return f"Your answer was not taken: {refused.message}"
        await host.hear(run.id, message.message_id)
        return ""

    async def _told(
        self, host: Hosting, who: Principal, view: View, modes: list[str], *, to_end: bool
    ) -> AsyncGenerator[Event]:
        """Progress in our words, and each phase the task comes to."""
        shown = view.phase
        async with aclosing(host.follow(view.run.id, view.seq, to_end=to_end)) as steps:
            async for step in steps:
                if step.moved:
                    view = await host.view(view.run.id, who)
                    for update in projection.updates(view, modes) if view.phase != shown else ():
                        yield update
                    shown = view.phase
                elif step.words and view.own and shown not in RESTING:
                    yield projection.progress(view, step)
        view = await host.view(view.run.id, who)
        if view.phase != shown:
            for update in projection.updates(view, modes):
                yield update

    def _called(self, context: ServerCallContext) -> tuple[Hosting, Principal]:
        """The graph that is meant, and who is calling."""
        who = context.state.get(CALLER)
        if not isinstance(who, Principal):
            raise a2a.InvalidRequestError("nobody is known to be calling: the request was not authenticated.")
        name = context.tenant or self._default
        if name not in self._hosts:
            raise a2a.InvalidParamsError(f"nothing is served here under the name {name!r:.80}.")
        return self._hosts[name], who

    async def _own(self, run: str, context: ServerCallContext) -> tuple[Pushes, Principal]:
        host, who = self._called(context)
        view = await host.view(run, who)
        if not view.own:
            raise a2a.TaskNotFoundError
        return self._told_to, who

    @property
    def _told_to(self) -> Pushes:
        if self._pushes is None:
            raise a2a.PushNotificationNotSupportedError
        return self._pushes


def _limits(given: envelope.Envelope) -> Limits:
    """What the caller has left, as the run's limits.

    Raises:
        BadInput: if there is no time left at all.
    """
    if given.deadline_ms == 0:
        raise BadInput("the caller has no time left: nothing was started.")
    seconds = None if given.deadline_ms is None else given.deadline_ms / 1000
    usd: Decimal | None = given.usd
    return Limits(seconds=seconds, tokens=given.tokens, usd=usd)


def _moment(params: pb.ListTasksRequest) -> datetime | None:
    if not params.HasField("status_timestamp_after"):
        return None
    try:
        return params.status_timestamp_after.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise BadInput("statusTimestampAfter is no moment between the years 1 and 9999.") from None


def _place(token: str) -> tuple[str, str] | None:
    if not token:
        return None
    at, found, run = token.partition("|")
    if not found or not at or not run or len(token) > 200:
        raise BadInput("the page token is none that this server gave.")
    return at, run
