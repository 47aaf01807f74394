"""Push notifications as callers ask for them: screened before anything is stored."""

from typing import Protocol

from a2a.types import a2a_pb2 as pb

from interlock.core.principal import Principal


class PushConfigs(Protocol):
    """Where notifications about a task are asked for."""

    async def check(self, config: pb.TaskPushNotificationConfig) -> None:
        """Screens where it wants to be told.

        Raises:
            BadInput: nothing may be sent there.
        """
        ...

    async def put(
        self, config: pb.TaskPushNotificationConfig, who: Principal
    ) -> pb.TaskPushNotificationConfig:
        """Stores a configuration on somebody's behalf and returns it; the same id is the same one.

        Raises:
            BadInput: nothing may be sent there.
        """
        ...

    async def list(self, task: str) -> list[pb.TaskPushNotificationConfig]:
        """Those of a task, oldest first."""
        ...

    async def delete(self, task: str, config: str) -> None:
        """Removes one; harmless if there is none."""
        ...
