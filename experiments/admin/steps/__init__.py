"""An experiment in steps: pages of the admin that each ask for one thing and store it in the draft."""
