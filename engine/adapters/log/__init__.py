"""The log of events as lines, and what watches the event loop."""
