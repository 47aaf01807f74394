"""Runs migrations on the connection that `Database.open` hands over, inside its transaction."""

from alembic import context

from interlock.persistence.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
