"""What produces the figures of BENCHMARKS.md. Run `make bench`, or one module by its name."""
