"""The host agent: makes a host what a release says, wholly or not at all.

Runs on the hosts as one zip file, so it needs Python 3.10 and its standard library alone.
"""
