"""Notices: tell people what happened by e-mail, in a team's chat, and by a weekly digest for those who never log in."""
