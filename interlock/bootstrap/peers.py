"""Remote agents, as the settings place them."""

from interlock.a2a.place import Place, checked
from interlock.a2a.remotes import A2ARemotes
from interlock.bootstrap.stores import Stores
from interlock.core.agents import AnyAgent
from interlock.core.ports import Clock
from interlock.errors import BadInput
from interlock.persistence.remote_tasks import SqlRemoteTasks
from interlock.settings import RemoteSettings, Settings, secret


def remotes_of(
    settings: Settings, stores: Stores, clock: Clock, *, here: AnyAgent | None = None
) -> A2ARemotes:
    """What reaches the remote agents; nobody is called before a task is sent.

    Args:
        settings: They place agents.
        stores: Where remote tasks are kept.
        clock: Dates them.
        here: The one agent that works here, wherever the settings place it for others.

    Raises:
        BadInput: a URL cannot be called, or a token's variable is not set.
    """
    home = here.name if here is not None and here.remote is None else ""
    places = {name: place_of(name, each) for name, each in settings.remotes.items() if name != home}
    return A2ARemotes(places, store=SqlRemoteTasks(stores.database), ledger=stores.ledger, clock=clock)


def place_of(agent: str, given: RemoteSettings) -> Place:
    """Where the settings say that an agent works, with the token for it.

    Raises:
        BadInput: its URL cannot be called, or the token's variable is not set.
    """
    why = checked(given.url) if given.url else ""
    if why:
        raise BadInput(f"the settings place the agent {agent!r} where it cannot be called: {why}.")
    token = secret(given.token_env)
    if given.token_env and not token:
        raise BadInput(f"the token for the agent {agent!r} is not there: set the variable {given.token_env}.")
    return Place(url=given.url, token=token, hosts=given.hosts)
