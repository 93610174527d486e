"""Tell people what happened: by e-mail, in a team's chat, and once a week for those who never log in."""
