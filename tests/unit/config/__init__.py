"""Tests of the fleet file."""
