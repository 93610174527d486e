"""Which ids are one person: what senders say of it, which of that holds, and how the store comes to know it."""
