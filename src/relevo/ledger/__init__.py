"""Credits: what a call may cost, what is set aside for it, and what it did cost."""
