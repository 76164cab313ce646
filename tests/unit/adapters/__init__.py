"""The adapters against answers that a service would never give, and some that it does."""
