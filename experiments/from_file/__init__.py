"""The file of an experiment that was run elsewhere: read, cleaned, analysed."""
