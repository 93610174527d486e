"""Review before start: a person who didn't write a plan approves its current content.

`standing_of` gives the state of a draft's review; every start goes through `experiments.plan.moves`, which checks it.
"""
