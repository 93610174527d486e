"""The plan of an experiment as one page that people read, comment, print and export."""
