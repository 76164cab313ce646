"""Files and TOML for any of them: what may be read, where each value stands, and what is wrong with it."""
