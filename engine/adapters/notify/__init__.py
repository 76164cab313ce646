"""Channels by which people are notified: a command, and a URL of Apprise's. SNS is with the other AWS calls."""
