"""Tools for agents, over MCP."""

__all__ = ["agent_server"]
