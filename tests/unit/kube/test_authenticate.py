"""A token is worth something only in the hands of the Pod that it was made for."""

import asyncio

import pytest

from mapreduce_operator.kube import authenticate as authenticate_module
from mapreduce_operator.kube.authenticate import TokenReviewAuthenticator
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Forbidden, NotFound, Unavailable
from mapreduce_operator.rpc.authentication import AuthenticationUnavailable, Identity, TokenRejected
from tests.support.fake_api import FakeApi
from tests.support.kube_objects import PLATFORM, UID, pod

NAME = "wordcount-0f1e2d3c-w-0-1-0"


class Reviews(FakeApi):
    """Answers TokenReviews with one status."""

    def __init__(self, status, *objects):
        super().__init__(*objects)
        self.status = status

    async def create(self, ref, body):
        self._fault()
        assert ref == Ref("tokenreviews")
        assert body["spec"]["token"].startswith("secret")
        assert body["spec"]["audiences"] == ["mapreduce.dev"]
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
    authenticator = TokenReviewAuthenticator(api, {UID: namespace}.get, PLATFORM.made)
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


@pytest.mark.parametrize("word", ["", "guessed", f"made for {UID}: wordcount-0f1e2d3c-w-0-1-1", "gemacht für"])
def test_a_pod_that_somebody_made_under_the_name_of_a_worker_is_rejected(word):
    body = pod(phase="Running", podIP="10.0.0.7")
    body["metadata"]["annotations"]["mapreduce.dev/start"] = word
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


class Known:
    """An authenticator that accepted the token once, its API server and its clock."""

    def __init__(self):
        self.now = 100.0
        self.api = Reviews(review(), (Ref("pods", "team", NAME), pod(phase="Running", podIP="10.0.0.7")))
        self.jobs = {UID: "team"}
        self.made = TokenReviewAuthenticator(self.api, self.jobs.get, PLATFORM.made, lambda: self.now)
        asyncio.run(self.again())

    async def again(self, *faults):
        self.api.faults = list(faults)
        return await self.made.authenticate("secret", "10.9.9.9")


def test_a_worker_that_is_known_is_not_refused_while_the_api_server_is_away():
    known = Known()
    assert asyncio.run(known.again(Unavailable("away"))).uid == "pod-1"
    assert asyncio.run(known.again(None, Unavailable("away"))).uid == "pod-1", "its Pod could not be read"
    known.now += 599
    assert asyncio.run(known.again(Unavailable("away"))).uid == "pod-1"
    known.now += 2
    with pytest.raises(AuthenticationUnavailable):
        asyncio.run(known.again(Unavailable("away")))


def test_another_token_is_not_accepted_while_the_api_server_is_away():
    known = Known()
    known.api.faults = [Unavailable("away")]
    with pytest.raises(AuthenticationUnavailable):
        asyncio.run(known.made.authenticate("another", "10.9.9.9"))


def test_a_token_whose_pod_is_gone_is_forgotten():
    known = Known()
    with pytest.raises(TokenRejected):
        asyncio.run(known.again(None, NotFound("gone", status=404)))
    known.now += 60
    with pytest.raises(AuthenticationUnavailable):
        asyncio.run(known.again(Unavailable("away")))


def test_only_silence_of_the_api_server_makes_an_old_answer_good_and_only_for_a_job_that_is_run_here():
    known = Known()
    with pytest.raises(AuthenticationUnavailable):
        asyncio.run(known.again(Forbidden("no right", status=403)))
    del known.jobs[UID]
    with pytest.raises(AuthenticationUnavailable):
        asyncio.run(known.again(Unavailable("away")))


def test_a_server_that_answers_nothing_holds_up_no_worker_that_is_known(monkeypatch):
    monkeypatch.setattr(authenticate_module, "PATIENCE", 0.01)

    async def go():
        api = Slow(review())
        api.free.set()
        made = TokenReviewAuthenticator(api, {UID: "team"}.get, PLATFORM.made)
        await made.authenticate("secret", "10.9.9.9")
        api.free.clear()
        return await made.authenticate("secret", "10.9.9.9")

    assert asyncio.run(go()).uid == "pod-1"


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
        authenticator = TokenReviewAuthenticator(api, {UID: "team"}.get, PLATFORM.made)
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
        authenticator = TokenReviewAuthenticator(api, {UID: "team"}.get, PLATFORM.made, lambda: now[0])
        for _ in range(5):
            with pytest.raises(TokenRejected, match="forged"):
                await authenticator.authenticate("secret", "10.9.9.9")
        assert api.asked == 1
        now[0] += 11.0
        with pytest.raises(TokenRejected):
            await authenticator.authenticate("secret", "10.9.9.9")
        assert api.asked == 2

    asyncio.run(go())
