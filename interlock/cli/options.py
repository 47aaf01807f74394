"""Options that several commands share, and who acts."""

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.core.principal import Principal
    from interlock.settings import Settings

Graph = Annotated[
    str,
    typer.Argument(
        metavar="GRAPH",
        help="A graph that langgraph.json names, or the place of a graph or an agent: path/to/file.py:name.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="USER", help="Act as this person; by default you, with every role."),
]
Role = Annotated[
    list[str] | None, typer.Option("--role", metavar="ROLE", help="A role that --as USER holds; repeatable.")
]


def principal(settings: "Settings", user: str | None, roles: list[str] | None) -> "Principal":
    """Who acts: the person at the keyboard with every role, or the one named with the roles named.

    Raises:
        BadInput: for roles without a person, or an empty name.
    """
    from interlock.bootstrap import local_user
    from interlock.core.principal import Principal

    if user is None:
        if roles:
            raise BadInput("--role says what --as USER may do: name the person with --as.")
        return local_user(settings)
    if not user.strip():
        raise BadInput("--as needs a person's name.")
    return Principal(user=user.strip(), scopes=tuple(roles or ()))
