"""The people of a team: onboarded, let go, and written into their file."""
