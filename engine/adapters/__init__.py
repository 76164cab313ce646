"""The world outside, behind the ports: AWS, the journal, the lock, the clock, the log. The only imports of AWS clients."""
