"""appfleet."""
