"""The composition root: adapters joined to the ports of the executor, and each command as one pipeline.

The command line calls these and no more.
"""
