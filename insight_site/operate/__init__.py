"""Whether the site works: probes, metrics, doctor, backup."""

__all__ = ["backup", "component_health", "doctor", "probes", "request_lines", "restore", "tracing", "verify_backup"]
