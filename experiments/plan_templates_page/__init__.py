"""Pages of templates for plans: the list, one template, saving a plan as one, and how a draft differs from its own."""
