"""Who is calling. The only maker of a `Principal`."""
