"""The tables. Times are UTC text of one width, JSON is text: both compare and sort as they read.

NULL in a JSON column means that there is no value, or that it was erased.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSIONS = ("0001",)
"""Every version of the schema there has been, oldest first; the last is the one this code reads."""

metadata: MetaData = MetaData()


def _run(*, primary_key: bool = False) -> Column[str]:
    return Column("run", Text, ForeignKey("runs.id"), primary_key=primary_key, nullable=False)


runs: Table = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("v", Integer, nullable=False),
    Column("graph", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("input", Text),
    Column("response", Text),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("subject", Text, index=True),
    Column("trace", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("spend", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("lease_worker", Text),
    Column("lease_until", Float),
    Column("head_seq", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
    Index("ix_runs_state_created", "state", "created_at"),
    Index("ix_runs_created", "created_at"),
    Index("ix_runs_session", "session"),
)

events: Table = Table(
    "events",
    metadata,
    _run(primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("v", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("body_digest", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("run", "id", name="uq_events_run_id"),
)

bodies: Table = Table(
    "bodies",
    metadata,
    Column("run", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("salt", Text),
    Column("body", Text),
    Column("erased_at", Text),
    ForeignKeyConstraint(["run", "seq"], ["events.run", "events.seq"]),
)

heads: Table = Table(
    "heads",
    metadata,
    _run(primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("at", Text, nullable=False),
)

journal: Table = Table(
    "journal",
    metadata,
    _run(primary_key=True),
    Column("task", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("nth", Integer, primary_key=True),
    Column("v", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("arguments", Text),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    Column("error", Text),
    Column("key", Text),
    Column("definition", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

questions: Table = Table(
    "questions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("v", Integer, nullable=False),
    _run(),
    Column("task", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("details", Text),
    Column("answer_schema", Text),
    Column("whom", Text, nullable=False),
    Column("asked_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("path", Text),
    Column("interrupt", Text),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    Column("comment", Text, nullable=False),
    Column("answered_by", Text),
    Column("answered_at", Text),
    Index("ix_questions_run_task", "run", "task"),
    Index("ix_questions_state_asked", "state", "asked_at"),
)

receipts: Table = Table(
    "receipts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("v", Integer, nullable=False),
    Column("question", Text, ForeignKey("questions.id"), nullable=False, unique=True),
    _run(),
    Column("task", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("whom", Text, nullable=False),
    Column("facts", Text),
    Column("given_by", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("used_at", Text),
)

effect_keys: Table = Table(
    "effect_keys",
    metadata,
    Column("tool", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _run(),
    Column("task", Text, nullable=False),
)

remote_tasks: Table = Table(
    "remote_tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("v", Integer, nullable=False),
    _run(),
    Column("task", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("agent", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("remote", Text, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("asked", Text),
    Column("peer", Text, nullable=False),
    Column("keyed", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Index("ix_remote_tasks_run_state", "run", "state"),
)

artifacts: Table = Table(
    "artifacts",
    metadata,
    Column("digest", Text, primary_key=True),
    _run(primary_key=True),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

subscriptions: Table = Table(
    "subscriptions",
    metadata,
    _run(primary_key=True),
    Column("id", Text, primary_key=True),
    Column("who", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("asked_at", Text, nullable=False),
)

outbox: Table = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run", Text, nullable=False),
    Column("subscription", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    ForeignKeyConstraint(["run", "subscription"], ["subscriptions.run", "subscriptions.id"]),
    Index("ix_outbox_due", "due_at"),
)

messages: Table = Table(
    "messages",
    metadata,
    _run(primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", Text, nullable=False),
)
