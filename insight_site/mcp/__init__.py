"""The door for agents (Model Context Protocol): the same services as REST, and less of them. docs/agents.md."""
