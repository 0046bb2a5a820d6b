"""The worker's core: pure state machines that are told what happened and say what to do."""
