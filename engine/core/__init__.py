"""The model, pure: identities, desired and observed state, the plan, outcomes, errors. No I/O, no clock, no vendor."""
