"""SQL metrics: a SELECT per unit that people write, what it may be, and how it becomes part of a question.

Three walls, each enough alone against files and the network: the text may hold few characters and no comment
(`one_line`); the tree is not passed on but built anew from the nodes that are listed, so that nothing of the writer's
but names, numbers and texts reaches an engine (`gate`, `rebuilt`); the connection has neither files nor settings and
stops in time (`limits`). The contract for writers: docs/sql_metrics.md.
"""
