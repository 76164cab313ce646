"""The command line: one thin file a command, which reads flags, makes one call and gives an exit code.

No logic lives here. What is heavy (pydantic, structlog, the AWS client) is imported by the command that needs it,
so that `--help` and `validate` answer at the speed of a keystroke.
"""
