"""Each attack of the audit of version 0.3 as a figure that the product must show: one module a subject."""
