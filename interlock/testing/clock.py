"""A clock that moves only when told to."""

from datetime import UTC, datetime, timedelta


class StillClock:
    """The `Clock` port for tests of expiry and deadlines."""

    def __init__(self, at: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        """Stands at `at`."""
        self._at = at
        self._seconds = 0.0

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return self._at + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Moves both clocks forward."""
        self._seconds += seconds
