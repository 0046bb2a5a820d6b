"""What people see of a job: its history in columns, for the live page and the report that outlives the Pods.

The operator, the gateway and the command line use it; it knows the contract only.
"""
