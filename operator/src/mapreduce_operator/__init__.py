"""The operator: runs MapReduceJob resources on a Kubernetes cluster."""
