"""Experiments: plan, assignment, analysis, verdict. They decide whether a behaviour causes retention."""

__all__ = ["analyse", "api", "draw", "files", "models", "plan", "report", "serve", "status", "webhook_messages"]
