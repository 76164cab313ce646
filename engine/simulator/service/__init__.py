"""The API of the simulated service: what each operation checks, does and answers."""
