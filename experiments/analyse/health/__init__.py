"""Can the data be trusted? One small function per check."""
