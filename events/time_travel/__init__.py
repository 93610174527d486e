"""Earlier versions of the store: versions that final analyses name, their files, and a digest of the rows read."""
