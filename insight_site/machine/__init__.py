"""The doors that services call all day: one table (`doors`), one dispatcher (`dispatch`),
one entrance before Django's own (`application`).

They run without the middlewares of people, which would cost them half their speed.
"""
