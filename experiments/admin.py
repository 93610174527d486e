from experiments import admin_webhooks

__all__ = ["admin_webhooks"]
