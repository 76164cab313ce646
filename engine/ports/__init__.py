"""The seams: what the engine asks of the world outside, as small Protocols."""
