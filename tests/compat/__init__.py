"""What the version before wrote and said, and today's code beside it."""
