"""The store as it was: versions that somebody named for good, their files, and a digest of rows read in them."""
