"""The gateway's core: a pure state machine that is told what happened and says what to do."""

from mapreduce_worker.gateway.core.gateway import GatewayCore

__all__ = ["GatewayCore"]
