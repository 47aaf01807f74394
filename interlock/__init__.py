"""Interlock makes LangGraph multi-agent systems safe to run on real systems."""

import os

# LangGraph reads this once, when it is imported: without it a forged checkpoint may name any callable.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

__version__ = "0.1.0"
