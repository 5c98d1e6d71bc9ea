"""Use cases. Sees protocols, not drivers: a transport, a clock, observers."""
