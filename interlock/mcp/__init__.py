"""The tool gateway: the one door to tools, spoken over MCP."""
