"""How the simulated service is reached: over HTTP as a server, or in memory."""
