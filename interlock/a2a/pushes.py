"""Push notifications: asked for by callers, screened, signed, and sent until they have arrived.

A run knows nothing of them. What is to be told is found in the record and put into an outbox first;
a receiver that is down costs the run nothing, and what waits for it survives this process.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import httpx
from a2a.types import a2a_pb2 as pb
from google.protobuf import json_format

from interlock.a2a import projection
from interlock.a2a.screening import Screen
from interlock.core.hosting import ENDED, Hosting, View
from interlock.core.notifications import Notification, Notifications, Subscription
from interlock.core.ports import Clock
from interlock.core.principal import Principal
from interlock.errors import BadInput, InterlockError, NotFound, StoreUnavailable

_log = logging.getLogger("interlock")
ATTEMPTS = 12
"""After so many in vain a notification is given up; that is after about an hour."""
_FIRST_S, _LONGEST_S = 1.0, 600.0
_TIMEOUT_S = 10.0
_MOST = 20
"""Subscriptions that a task may have."""


class Pushes:
    """Takes subscriptions, and tells subscribers each phase that their task comes to."""

    def __init__(
        self,
        hosts: Mapping[str, Hosting],
        notifications: Notifications,
        *,
        sign: Callable[[bytes], str],
        screen: Screen,
        clock: Clock,
        every_s: float = 0.5,
    ) -> None:
        """Takes what is hosted and where subscriptions are stored.

        Args:
            hosts: Graphs, for what may be told of their runs.
            notifications: Subscriptions and outbox.
            sign: Signs bytes (Ed25519) and returns the signature in hexadecimal.
            screen: Where notifications may go.
            clock: When attempts are made is counted by it.
            every_s: Seconds between looks at the database.
        """
        self._hosts = hosts
        self._stored = notifications
        self._sign = sign
        self._screen = screen
        self._clock = clock
        self._every_s = every_s
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)
        self._sending: dict[tuple[str, str], asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Looks and sends while the block lasts."""
        looking = asyncio.create_task(self._look(), name="pushes")
        try:
            yield
        finally:
            working = [looking, *self._sending.values()]
            for each in working:
                each.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await self._http.aclose()

    async def check(self, config: pb.TaskPushNotificationConfig) -> None:
        """Screens where it wants to be told.

        Raises:
            BadInput: nothing may be sent there, or a header of it could not be.
        """
        await self._screen.passed(config.url)
        for value in (config.token, config.authentication.scheme, config.authentication.credentials):
            if len(value) > 4000 or not (value.isascii() and value.isprintable()):
                raise BadInput("token and credentials must be printable ASCII, as HTTP headers are.")
        if len(config.id) > 128:
            raise BadInput("the id of a push configuration has at most 128 characters.")

    async def put(
        self, config: pb.TaskPushNotificationConfig, who: Principal
    ) -> pb.TaskPushNotificationConfig:
        """Stores a configuration on somebody's behalf and returns it; the same id is the same one.

        Raises:
            BadInput: nothing may be sent there, or the task has too many.
        """
        await self.check(config)
        name = config.id or f"push-{uuid4().hex[:12]}"
        there = await self._stored.subscriptions(config.task_id)
        if len(there) >= _MOST and name not in {each.id for each in there}:
            raise BadInput(f"task {config.task_id} has {_MOST} push configurations already: delete one.")
        wish = Subscription(
            run=config.task_id,
            id=name,
            who=who,
            url=config.url,
            token=config.token,
            scheme=config.authentication.scheme,
            credentials=config.authentication.credentials,
        )
        await self._stored.subscribe(wish)
        return _config(wish)

    async def list(self, task: str) -> list[pb.TaskPushNotificationConfig]:
        """Those of a task, oldest first."""
        return [_config(each) for each in await self._stored.subscriptions(task)]

    async def delete(self, task: str, config: str) -> None:
        """Removes one; harmless if there is none."""
        await self._stored.unsubscribe(task, config)

    async def turn(self) -> None:
        """One look: what has moved goes into the outbox, and what is due is begun to be sent."""
        for subscription in await self._stored.moved([host.graph for host in self._hosts.values()]):
            try:
                await self._tell(subscription)
            except StoreUnavailable:
                raise
            except Exception:  # one that cannot be told keeps nobody else's news back
                _log.exception("subscribers of run %s cannot be told", subscription.run)
        for notification in await self._stored.due(self._clock.now()):
            key = (notification.subscription.run, notification.subscription.id)
            if key not in self._sending:
                sending = asyncio.create_task(self._deliver(notification))
                self._sending[key] = sending
                sending.add_done_callback(lambda _, key=key: self._sending.pop(key, None))

    async def idle(self) -> None:
        """Waits until nothing is being sent."""
        while self._sending:
            await asyncio.wait(list(self._sending.values()))

    async def _look(self) -> None:
        while True:
            try:
                await self.turn()
            except StoreUnavailable as error:
                _log.warning("notifications: %s", error.message)
            except Exception:
                _log.exception("notifications could not be made")
            await asyncio.sleep(self._every_s)

    async def _tell(self, wish: Subscription) -> None:
        """Puts the phase of a run into the outbox, if the subscriber does not know it yet."""
        try:
            view = await self._view(wish)
        except NotFound:
            # What its subscriber may not see any more is not told; a later event may be theirs again.
            with suppress(StoreUnavailable):
                await self._stored.looked(wish, wish.seq + 1, wish.told, None)
            return
        new = view.phase != wish.told and view.phase not in ("submitted",)
        body = _body(view) if new else None
        await self._stored.looked(wish, view.seq, view.phase if new else wish.told, body)

    async def _view(self, wish: Subscription) -> View:
        for host in self._hosts.values():
            with suppress(NotFound):
                return await host.view(wish.run, wish.who)
        raise NotFound(f"run {wish.run} is served by nothing here.")

    async def _deliver(self, notification: Notification) -> None:
        try:
            await self._attempt(notification)
        except StoreUnavailable as error:  # it is sent again; its receiver knows it by its id
            _log.warning("notification %s: %s", notification.id, error.message)

    async def _attempt(self, notification: Notification) -> None:
        wish = notification.subscription
        try:
            why = await self._post(notification)
        except (httpx.HTTPError, httpx.InvalidURL, InterlockError, OSError, TimeoutError) as error:
            why = type(error).__name__
        if not why:
            await self._stored.delivered(notification.id)
            return
        tries = notification.attempts + 1
        _log.warning(
            "notification %s of run %s did not arrive (%s, attempt %s)", notification.id, wish.run, why, tries
        )
        if tries >= ATTEMPTS:
            await self._stored.delivered(notification.id)
            return
        wait = min(_FIRST_S * 2 ** (tries - 1), _LONGEST_S)
        await self._stored.failed(notification.id, self._clock.now() + timedelta(seconds=wait))

    async def _post(self, notification: Notification) -> str:
        """Sends one notification; returns why it did not arrive, or nothing."""
        wish = notification.subscription
        url = httpx.URL(wish.url)
        # The address that was screened is the one connected to: the name may have another one by then.
        address = await self._screen.passed(wish.url)
        body = notification.body.encode()
        request = self._http.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**self._headers(notification, body), "Host": url.netloc.decode()},
            extensions={"sni_hostname": url.host},
        )
        # Its status is all that counts: what a receiver says beside it is not read, however long it talks.
        async with asyncio.timeout(_TIMEOUT_S):
            response = await self._http.send(request, stream=True)
        try:
            return "" if response.is_success else f"status {response.status_code}"
        finally:
            await response.aclose()

    def _headers(self, notification: Notification, body: bytes) -> dict[str, str]:
        """Headers as Standard Webhooks has them: id, time, and a signature (v1a: Ed25519) over all."""
        wish = notification.subscription
        at = str(int(self._clock.now().timestamp()))
        signed = f"{notification.id}.{at}.".encode() + body
        signature = base64.b64encode(bytes.fromhex(self._sign(signed))).decode()
        headers = {
            "Content-Type": "application/a2a+json",
            "webhook-id": notification.id,
            "webhook-timestamp": at,
            "webhook-signature": f"v1a,{signature}",
        }
        if wish.token:
            headers["X-A2A-Notification-Token"] = wish.token
        if wish.scheme and wish.credentials:
            headers["Authorization"] = f"{wish.scheme} {wish.credentials}"
        return headers


def _body(view: View) -> str:
    """What is told: the whole task when it has ended, else its status."""
    task = projection.task(view)
    if view.phase in ENDED:
        told = pb.StreamResponse(task=task)
    else:
        update = pb.TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=task.status)
        told = pb.StreamResponse(status_update=update)
    return json.dumps(json_format.MessageToDict(told), ensure_ascii=False)


def _config(wish: Subscription) -> pb.TaskPushNotificationConfig:
    made = pb.TaskPushNotificationConfig(id=wish.id, task_id=wish.run, url=wish.url, token=wish.token)
    if wish.scheme:
        made.authentication.scheme = wish.scheme
        made.authentication.credentials = wish.credentials
    return made
