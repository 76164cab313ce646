"""The policy files: their shape, reading and merging them, and the tests that they carry."""
