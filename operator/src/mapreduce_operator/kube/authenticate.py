"""Who calls: a projected token, checked by TokenReview, and the Pod that it is bound to.

A token counts only if it was made for our audience and is bound to a Pod that exists, that an
operator made for a job, and whose uid it names. The address of the Pod is what the API says. While
the API server is away, a token that it accepted a while ago is still good: the job must go on.
Neighbours: `rpc.server` (asks at each registration), `observe.py` (reads the Pod),
`recent.py` (what is remembered of tokens).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from mapreduce import words
from mapreduce_operator.kube import observe
from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import ApiError, NotFound, Unavailable
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.recent import Recent
from mapreduce_operator.rpc.authentication import AuthenticationUnavailable, Identity, TokenRejected

REVIEWS: Final = 16
"""Tokens that the API server is asked about at the same time."""
REVIEWS_OF_ONE: Final = 4
"""The same, from one address: a Pod registers once."""
REJECTED_SECONDS: Final = 10.0
ACCEPTED_SECONDS: Final = 600.0
"""For how long a token that was accepted counts while nobody can be asked: as long as a worker waits for its master."""
PATIENCE: Final = 3.0
"""Seconds for which such a token's holder waits for the API server's answer: it may be that none comes."""
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"


class TokenReviewAuthenticator:
    """The `Authenticator` on Kubernetes.

    namespace_of: the namespace of a job that is run here, by its uid, or None. Without it a Pod
    of another namespace could claim to belong to the job by its labels alone. made: whether an
    operator made a Pod. Without it whoever may create Pods could make one beforehand, under a name
    that a worker will have.
    """

    def __init__(
        self,
        api: Api,
        namespace_of: Callable[[str], str | None],
        made: Callable[[PodSeen], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._made = made
        self._namespace_of = namespace_of
        self._clock = clock
        self._reviews = asyncio.Semaphore(REVIEWS)
        self._asking: Counter[str] = Counter()
        """How many tokens from each address are being looked at."""
        self._rejected: Recent[str] = Recent(REJECTED_SECONDS)
        """Why tokens were rejected a moment ago."""
        self._accepted: Recent[Identity] = Recent(ACCEPTED_SECONDS)
        """Who has tokens that were accepted."""

    async def authenticate(self, token: str, remote: str) -> Identity:
        """Return who holds the token; raises `TokenRejected` or `AuthenticationUnavailable`.

        Whoever reaches the port may ask, so what one address, and all together, make the API
        server do is bounded, and a token that was rejected is rejected again without asking.
        """
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        why = self._rejected.get(digest, self._clock())
        if why is not None:
            raise TokenRejected(why)
        if self._asking[remote] >= REVIEWS_OF_ONE:
            raise AuthenticationUnavailable(f"too many tokens from {remote} are being looked at")
        self._asking[remote] += 1
        try:
            async with asyncio.timeout(PATIENCE if digest in self._accepted else None), self._reviews:
                identity = await self._ask(token, remote)
        except TimeoutError:
            return self._known(digest, AuthenticationUnavailable("the API server does not answer"))
        except TokenRejected as error:
            self._accepted.forget(digest)
            self._rejected.put(digest, str(error), self._clock())
            raise
        except AuthenticationUnavailable as error:
            # Only where the API server is away: one that answers has the last word.
            if not isinstance(error.__cause__, Unavailable):
                raise
            return self._known(digest, error)
        else:
            self._accepted.put(digest, identity, self._clock())
            return identity
        finally:
            self._asking[remote] -= 1
            if not self._asking[remote]:
                del self._asking[remote]

    def _known(self, digest: bytes, away: AuthenticationUnavailable) -> Identity:
        identity = self._accepted.get(digest, self._clock())
        if identity is None or self._namespace_of(identity.job_uid) is None:
            raise away
        return identity

    async def _ask(self, token: str, remote: str) -> Identity:
        try:
            namespace, name, uid = _bound_pod(await self._review(token), remote)
            pod = await self._api.get(Ref("pods", namespace, name))
        except NotFound as error:
            raise TokenRejected(f"the token sent from {remote} is bound to a Pod that is gone") from error
        except ApiError as error:
            raise AuthenticationUnavailable(str(error)) from error
        return self._identity(pod, uid, remote)

    async def _review(self, token: str) -> JsonObject:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [words.AUDIENCE]},
        }
        return await self._api.create(Ref("tokenreviews"), body)

    def _identity(self, pod: JsonObject, uid: str, remote: str) -> Identity:
        seen = observe.seen(pod)
        if seen is None or seen.worker.uid != uid or not self._made(seen):
            raise TokenRejected(f"the token sent from {remote} belongs to no Pod of a job")
        self._check_namespace(seen)
        if not seen.ip:
            raise AuthenticationUnavailable(f"Pod {seen.worker.name} has no address yet")
        return Identity(seen.job_uid, seen.worker.name, uid, seen.ip)

    def _check_namespace(self, seen: PodSeen) -> None:
        namespace = self._namespace_of(seen.job_uid)
        if namespace is None:
            raise AuthenticationUnavailable(f"no job with the uid {seen.job_uid} is run here now")
        if namespace != seen.namespace:
            raise TokenRejected(f"Pod {seen.worker.name} is not in the namespace of its job")


def _bound_pod(review: JsonObject, remote: str) -> tuple[str, str, str]:
    """Return namespace, name and uid of the Pod that a reviewed token is bound to."""
    status: dict[str, Any] = review.get("status") or {}
    if not status.get("authenticated") or words.AUDIENCE not in (status.get("audiences") or ()):
        raise TokenRejected(f"the token sent from {remote} is not valid: {status.get('error') or 'another audience'}")
    user = status.get("user") or {}
    kind, _, account = str(user.get("username") or "").partition("system:serviceaccount:")
    namespace = account.partition(":")[0]
    extra = user.get("extra") or {}
    name, uid = (str((extra.get(key) or [""])[0]) for key in (_POD_NAME, _POD_UID))
    if kind or not namespace or not name or not uid:
        raise TokenRejected(f"the token sent from {remote} is not bound to a Pod")
    return namespace, name, uid
