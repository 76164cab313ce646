"""What speaks to AWS: credentials, connections, requests and the errors that come back."""
