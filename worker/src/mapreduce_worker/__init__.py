"""The worker and the gateway of a job, and the engine that runs user code."""
