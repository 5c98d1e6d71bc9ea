"""Nouns and arithmetic that every layer shares. The standard library only; no I/O."""
