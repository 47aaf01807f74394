"""The supervisor, its crew and the gate, as LangGraph graphs."""
