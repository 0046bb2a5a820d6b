"""The gateway: the one process that mounts a job's claim; it plans, serves input, stages, publishes."""
