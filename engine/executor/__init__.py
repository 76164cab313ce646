"""From a plan to calls: asyncio, but no vendor, no wall clock, no logging and no drawing."""
