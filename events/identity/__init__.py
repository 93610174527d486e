"""Identity resolution: links between ids reported by senders, which of them hold, and how the store learns of them."""
