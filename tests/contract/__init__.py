"""One suite for every implementation of the cloud port."""
