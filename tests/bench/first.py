"""A new process, a new database in the present folder, one run: what `starts` waits for."""

import asyncio

from interlock import bind
from tests.bench import desk
from tests.bench.works import done


async def main() -> None:
    """Runs the plan once."""
    async with bind(desk.supervised(desk.one_call), database="sqlite:///first.db", user="bench") as app:
        done(await app.run(desk.REQUEST))


if __name__ == "__main__":
    asyncio.run(main())
