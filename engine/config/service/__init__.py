"""What SageMaker accepts: the installed SDK's model, and the rules that the service states in prose."""
