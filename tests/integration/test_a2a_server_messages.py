"""Messages over A2A: what comes back from a task that works, asks, waits, fails."""

from pathlib import Path

from tests import served
from tests.desk import Shop, desk


async def test_a_message_comes_back_with_the_accepted_answer(tmp_path: Path) -> None:
    """Text becomes the request, and only the response that the gate accepted is the artifact."""
    shop = Shop(tmp_path / "shop.db")

    async with served.running(tmp_path, desk(shop).build()) as server:
        client = await server.client(streaming=False)
        task = await served.sent(client, served.say("my parcel is lost"))

    assert served.state_of(task) == "completed"
    assert "We paid back 49.90 EUR for order A-1001." in served.text_of(task)
    assert shop.rows() == [("A-1001", "49.90")]
