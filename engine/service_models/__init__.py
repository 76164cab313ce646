"""Models of AWS services: which operations, fields and values there are, read from files in botocore's layout.

The one loader for whoever needs a model: the clients of the adapters, the check of `settings`, and the simulator. Below
`data` is a model of SageMaker that is newer than the pinned botocore's; `tools/service_model.py` writes it.
"""
