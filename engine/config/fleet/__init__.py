"""The fleet file: its shape, its text into values, and what is written back as one."""
