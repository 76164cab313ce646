"""Steps of a command that the composition root takes: each joins adapters to what the core decides.

Not here: the commands themselves (`app`), or anything that could be decided without a file or a call (`core`).
"""
