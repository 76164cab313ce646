"""A simulated SageMaker Studio: the world, its API, its faces over HTTP and in memory, and scenario files for it."""
