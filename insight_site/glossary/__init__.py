"""Every statistical word of the pages, in two plain sentences."""
