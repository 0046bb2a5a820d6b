"""The commands that talk to a Kubernetes cluster; `api.py` alone imports the Kubernetes client."""
