"""On whose behalf everything happens. Travels with every call; holds no credential."""

from typing import Self

from pydantic import BaseModel


class Principal(BaseModel, frozen=True, extra="forbid"):
    """The end user whose rights a run uses."""

    user: str
    """Stable name of the person, as the identity provider or the operating system gives it."""
    team: str | None = None
    org: str | None = None
    scopes: tuple[str, ...] = ()
    """Rights and roles, such as `shift-lead`; an approval asked of a role needs that scope."""

    @classmethod
    def local(cls, user: str) -> Self:
        """The person at the keyboard: owns what they start and holds every role."""
        return cls(user=user, scopes=("*",))

    def holds(self, role: str) -> bool:
        """Says whether this person may act as `role` (a scope, a team or their own name)."""
        return role in (self.user, self.team) or role in self.scopes or "*" in self.scopes

    def owns(self, owner: str) -> bool:
        """Says whether what `owner` started is theirs: by name, or because they hold every role.

        A team or a scope that has a person's name makes nobody that person.
        """
        return self.user == owner or "*" in self.scopes
