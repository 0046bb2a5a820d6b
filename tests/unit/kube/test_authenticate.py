"""A token is worth something only in the hands of the Pod that it was made for."""

import asyncio

import pytest

from mapreduce_operator.kube.authenticate import TokenReviewAuthenticator
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Unavailable
from mapreduce_operator.rpc.authentication import AuthenticationUnavailable, Identity, TokenRejected
from tests.support.fake_api import FakeApi
from tests.support.kube_objects import UID, pod

NAME = "wordcount-0f1e2d3c-w-0-1-0"


class Reviews(FakeApi):
    """Answers TokenReviews with one status."""

    def __init__(self, status, *objects):
        super().__init__(*objects)
        self.status = status

    async def create(self, ref, body):
        self._fault()
        assert ref == Ref("tokenreviews")
        assert body["spec"] == {"token": "secret", "audiences": ["mapreduce.dev"]}
        return {"status": self.status}


def review(namespace="team", name=NAME, uid="pod-1", **fields):
    extra = {
        "authentication.kubernetes.io/pod-name": [name],
        "authentication.kubernetes.io/pod-uid": [uid],
    }
    user = {"username": f"system:serviceaccount:{namespace}:default", "extra": extra}
    return {"authenticated": True, "audiences": ["mapreduce.dev"], "user": user} | fields


def authenticate(status, body=None, namespace="team", faults=()):
    body = pod(phase="Running", podIP="10.0.0.7") if body is None else body
    api = Reviews(status, (Ref("pods", "team", NAME), body))
    api.faults = list(faults)
    authenticator = TokenReviewAuthenticator(api, {UID: namespace}.get)
    return asyncio.run(authenticator.authenticate("secret", "10.9.9.9"))


def test_a_worker_is_who_its_pod_is_and_where_the_api_says():
    assert authenticate(review()) == Identity(UID, NAME, "pod-1", "10.0.0.7")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"authenticated": False, "error": "expired"}, "expired"),
        (review(audiences=["https://kubernetes.default.svc"]), "another audience"),
        (review(audiences=None), "another audience"),
        (review(user={"username": "system:serviceaccount:team:default"}), "not bound to a Pod"),
        (review(user={"username": "jane", "extra": review()["user"]["extra"]}), "not bound to a Pod"),
        (review(name="another"), "is gone"),
        (review(namespace="other"), "is gone"),
        (review(uid="pod-0"), "belongs to no Pod of a job"),
    ],
)
def test_any_other_token_is_rejected(status, said):
    with pytest.raises(TokenRejected, match=said):
        authenticate(status)


def test_a_pod_that_no_job_controls_is_rejected_whatever_its_labels():
    body = pod(phase="Running", podIP="10.0.0.7")
    body["metadata"]["ownerReferences"] = []
    with pytest.raises(TokenRejected, match="belongs to no Pod of a job"):
        authenticate(review(), body)


def test_a_pod_that_names_a_job_of_another_namespace_is_rejected():
    with pytest.raises(TokenRejected, match="not in the namespace of its job"):
        authenticate(review(), namespace="elsewhere")


def test_a_job_that_is_not_known_here_yet_is_no_reason_to_exit():
    with pytest.raises(AuthenticationUnavailable):
        authenticate(review(), namespace=None)


def test_a_pod_without_an_address_yet_tries_again():
    with pytest.raises(AuthenticationUnavailable, match="no address yet"):
        authenticate(review(), pod(phase="Running"))


def test_an_api_server_that_is_away_is_no_reason_to_exit():
    with pytest.raises(AuthenticationUnavailable):
        authenticate(review(), faults=[Unavailable("away")])


class Slow(Reviews):
    """Answers when it is let, and counts who waits."""

    def __init__(self, status):
        super().__init__(status, (Ref("pods", "team", NAME), pod(phase="Running", podIP="10.0.0.7")))
        self.free = asyncio.Event()
        self.waiting = self.asked = 0

    async def create(self, ref, body):
        self.asked += 1
        self.waiting += 1
        await self.free.wait()
        self.waiting -= 1
        return {"status": self.status}


async def settled():
    for _ in range(100):
        await asyncio.sleep(0)


def test_the_api_server_is_asked_about_so_many_tokens_at_a_time_and_few_from_one_address():
    async def go():
        api = Slow(review())
        authenticator = TokenReviewAuthenticator(api, {UID: "team"}.get)
        calls = [
            asyncio.create_task(authenticator.authenticate("secret", f"10.9.9.{number // 6}")) for number in range(60)
        ]
        await settled()
        assert api.waiting == 16
        assert sum(call.done() for call in calls) == 20
        api.free.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in found[:6]] == [Identity] * 4 + [AuthenticationUnavailable] * 2
        assert isinstance(await authenticator.authenticate("secret", "10.9.9.0"), Identity)

    asyncio.run(go())


def test_a_token_that_was_rejected_is_not_asked_about_again_for_a_moment():
    async def go():
        now = [100.0]
        api = Slow({"authenticated": False, "error": "forged"})
        api.free.set()
        authenticator = TokenReviewAuthenticator(api, {UID: "team"}.get, lambda: now[0])
        for _ in range(5):
            with pytest.raises(TokenRejected, match="forged"):
                await authenticator.authenticate("secret", "10.9.9.9")
        assert api.asked == 1
        now[0] += 11.0
        with pytest.raises(TokenRejected):
            await authenticator.authenticate("secret", "10.9.9.9")
        assert api.asked == 2

    asyncio.run(go())
