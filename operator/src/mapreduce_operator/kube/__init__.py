"""The Kubernetes side of the operator: what it reads, what it writes, and who may call it."""
