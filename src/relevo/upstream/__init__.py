"""Bytes to and from providers. Reads no JSON, knows no provider, decides nothing."""
