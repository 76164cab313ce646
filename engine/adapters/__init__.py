"""The world outside, behind the ports: AWS, the journal, the lock, the clock, the log.

The only package that imports AWS client libraries.
"""
