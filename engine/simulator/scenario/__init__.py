"""Scenario files, and worlds kept from one command to the next."""
