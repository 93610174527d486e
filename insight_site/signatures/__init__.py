"""The site's signature under final analyses, the public keys that check it, and the check itself with recomputing."""
