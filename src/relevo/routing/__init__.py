"""Which targets a request may use, and in which order. Pure decisions: no I/O, no clock."""
