"""The MCP endpoint for agents (Model Context Protocol): a subset of the services of REST. docs/agents.md."""
