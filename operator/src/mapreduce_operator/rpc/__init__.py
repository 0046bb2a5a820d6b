"""The HTTP side of a master: what workers and gateways dial."""
