"""Finds what an app gives away: provider keys, and the calls that need them, in what a browser may read.

Reads files and nothing else: no key is tried at a provider, no file is changed.
"""
