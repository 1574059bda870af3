"""The host agent: puts a release on a host, completely or not at all.

It runs on the hosts as one zip file, so it needs only Python 3.10 and its standard library.
"""
