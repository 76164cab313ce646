"""Inputs that a stranger wrote: mutated by rule and by chance, and read by the code that reads the real ones."""
