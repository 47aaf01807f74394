"""Tests with real parts: databases, MCP and A2A over loopback."""
