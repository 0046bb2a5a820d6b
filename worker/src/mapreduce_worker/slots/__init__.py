"""Slots: the processes that run user code, and the agent's side of them."""
