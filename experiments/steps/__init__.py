"""The steps of a plan, as pages of the site: forms, what is wrong beside its field, and what each choice costs."""
