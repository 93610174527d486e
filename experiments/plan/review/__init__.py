"""Review before start: a plan is approved, as it stands, by somebody who didn't write it.

`standing` says where the review of a draft is, and the one place where starts go (`experiments.plan.moves`) asks it.
"""
