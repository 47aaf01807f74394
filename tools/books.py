"""Opens the books of the example shop, and says what weather they are in. Nothing else reads the environment.

`SHOP_DATA` names the folder (default `.interlock/shop`; filled on first use when it is not there).
`SHOP_WEATHER` is JSON that makes things go wrong on purpose, such as `{"shop": "down"}`, for evaluations.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from tools.seed import SCHEMAS, seed


def folder() -> Path:
    """The folder of the books, absolute; read anew each time."""
    return Path(os.environ.get("SHOP_DATA", ".interlock/shop")).resolve()


def weather(what: str) -> str:
    """What goes wrong with a book, or with `draft`; empty if nothing does."""
    told = json.loads(os.environ.get("SHOP_WEATHER") or "{}")
    return str(told.get(what) or "")


def environment() -> dict[str, str]:
    """What a server in a process of its own needs in order to open the same books from anywhere."""
    project = str(Path(__file__).resolve().parent.parent)
    return {
        "SHOP_DATA": str(folder()),
        "SHOP_WEATHER": os.environ.get("SHOP_WEATHER", ""),
        "PYTHONPATH": os.pathsep.join(filter(None, [project, os.environ.get("PYTHONPATH")])),
    }


def now() -> str:
    """The time as the books write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def book(name: str) -> Generator[sqlite3.Connection, None, None]:
    """Opens one book for one transaction that no other writer can come into.

    Raises:
        ConnectionError: in bad weather.
    """
    if weather(name) == "down":
        raise ConnectionError(f"the {name} book does not answer")
    _fill(folder())
    with closing(sqlite3.connect(folder() / f"{name}.db", timeout=10, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def _fill(where: Path) -> None:
    """Seeds the folder if a book is missing; of two processes that do so at once, one wins as a whole."""
    if all((where / name).is_file() for name in SCHEMAS):
        return
    where.parent.mkdir(parents=True, exist_ok=True)
    fresh = where.with_name(f"{where.name}.{uuid4().hex[:8]}")
    seed(fresh, date.today())
    try:
        fresh.rename(where)  # an empty folder is replaced, a filled one is not
    except OSError:
        for name in SCHEMAS:
            if not (where / name).exists():
                (fresh / name).rename(where / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
