"""Who is calling: the protocol that stands between a token and an identity.

On Kubernetes a token is a Pod's projected token, checked by TokenReview; on one machine it is a
random string that the driver handed to the process. Neighbours: `server.py` asks,
`mapreduce_operator.kube` and `mapreduce_operator.drivers.local` answer.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from mapreduce.errors import SystemFault


class Identity(msgspec.Struct, frozen=True):
    """A worker or gateway whose token was accepted.

    job_uid: the job it was started for. worker: its name. uid: of its Pod or process.
    host: where its data server is reached, as the platform tells it, never as it says itself.
    """

    job_uid: str
    worker: str
    uid: str
    host: str


class TokenRejected(SystemFault):
    """The token is not accepted, and will not be: the worker must exit (403)."""


class AuthenticationUnavailable(SystemFault):
    """Nobody can tell now whether the token is good: the worker tries again (503)."""


class Authenticator(Protocol):
    """Turns a token into an identity."""

    async def authenticate(self, token: str, remote: str) -> Identity:
        """Return who holds the token; `remote` is the peer's address, for messages.

        Raises `TokenRejected` or `AuthenticationUnavailable`.
        """
