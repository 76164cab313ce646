"""What the state folder keeps: the lock, the journal of every run, and its timeline."""
