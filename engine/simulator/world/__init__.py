"""The state of the simulated account, and how it moves on with time."""
