"""The graphs of the reference application; `langgraph.json` names them."""
