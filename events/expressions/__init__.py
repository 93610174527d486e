"""SQL metrics: a user-written SELECT per unit: what is allowed, and how it becomes part of a query.

Three independent safeguards keep files and the network out of reach: the text allows few characters and no comment
(`one_line`); the syntax tree is rebuilt from a list of allowed nodes, so that only the writer's names, numbers and
texts reach an engine (`gate`, `rebuilt`); the connection has no access to files or settings and a time limit
(`guarded`). The contract for writers: docs/sql_metrics.md.
"""
