"""What a request does with an API server that is busy, refuses the credentials, or forgets a LIST."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from mapreduce.metric_page import Counter
from mapreduce_operator.kube import client, handlers
from mapreduce_operator.kube.client import Api, Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Expired, Unauthorized, Unavailable

POD = Ref("pods", "team", "a")
LEASE = Ref("leases", "system", "mapreduce-operator")


class Server:
    """Answers each request with the next of `answers`, the last one again and again: status, headers."""

    def __init__(self, *answers, token="old"):
        self.answers = list(answers)
        self.asked = []
        self.counted = Counter()
        self.now = 1000.0
        self.file = token

    async def handle(self, request):
        """Note who asked, and answer."""
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        status, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response({"message": "said"}, status=status, headers=headers)

    def run(self, *calls, clock=None):
        """Make calls one after another; return what each gave or raised."""
        return asyncio.run(self._run(calls, clock))

    async def _run(self, calls, clock):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        async with TestServer(app) as server:
            configuration = Configuration()
            configuration.host = str(server.make_url("")).rstrip("/")
            configuration.api_key["BearerToken"] = "bearer before"

            def read_credentials():
                configuration.api_key["BearerToken"] = f"bearer {self.file}"

            api = Api(ApiClient(configuration), 5.0, read_credentials, clock or (lambda: self.now), self.counted)
            results = []
            for call in calls:
                try:
                    results.append(await call(api))
                except ApiError as error:
                    results.append(error)
            await api.close()
            return results


def get(api):
    return api.get(POD)


def renew(api):
    return api.replace(LEASE, {"metadata": {"name": LEASE.name}})


def test_a_token_that_expired_is_read_again_and_the_request_is_repeated():
    server = Server((401, {}), (200, {}), token="new")
    assert server.run(get) == [{"message": "said"}]
    assert [token for _, token in server.asked] == ["bearer before", "bearer new"]


def test_every_request_is_counted_with_its_answer():
    server = Server((401, {}), (200, {}), (500, {}), token="new")
    server.run(get, renew)
    assert dict(server.counted) == {("GET", "401"): 1, ("GET", "200"): 1, ("PUT", "500"): 1}


def test_a_token_that_is_refused_again_may_be_tried_later():
    server = Server((401, {}))
    (error,) = server.run(get)
    assert isinstance(error, Unauthorized)
    assert isinstance(error, Unavailable)
    assert len(server.asked) == 2


def test_a_write_is_not_repeated_with_the_new_token_but_by_who_looks_at_the_lease_first():
    server = Server((401, {}), (200, {}), token="new")
    refused, done = server.run(lambda api: api.delete(POD), lambda api: api.delete(POD))
    assert (type(refused), done) == (Unauthorized, None)
    assert [token for _, token in server.asked] == ["bearer before", "bearer new"]


def test_what_changes_nothing_or_is_its_own_fence_is_repeated():
    review = Ref("tokenreviews")
    for call in (renew, lambda api: api.create(review, {})):
        server = Server((401, {}), (200, {}), token="new")
        assert server.run(call) == [{"message": "said"}]


def test_the_watches_read_the_token_at_each_login(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(handlers, "_ACCOUNT", tmp_path)
    tokens = []
    for written in ("first\n", "second\n"):
        (tmp_path / "token").write_text(written)
        info = handlers.login(settings=handlers.settings())
        assert info is not None
        tokens.append(info.token)
    assert tokens == ["first", "second"]


def test_a_server_that_asks_for_a_pause_is_left_alone_until_it_is_over():
    server = Server((429, {"Retry-After": "20"}), (200, {}))

    async def later(api):
        server.now += 19
        # A second is left: that is waited for.
        return await api.get(POD)

    busy, soon, after = server.run(get, get, later)
    assert isinstance(busy, Unavailable)
    assert busy.status == 429
    assert isinstance(soon, Unavailable)
    assert "asked for a pause of 20 s more" in str(soon)
    assert after == {"message": "said"}
    assert len(server.asked) == 2


def test_the_lease_is_renewed_whatever_the_server_asks_for():
    server = Server((503, {"Retry-After": "20"}), (200, {}))
    busy, renewed = server.run(get, renew)
    assert (busy.status, renewed) == (503, {"message": "said"})


@pytest.mark.parametrize("asked", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_pause_that_cannot_be_read_is_none(asked):
    server = Server((429, {"Retry-After": asked}), (200, {}))
    assert server.run(get, get)[1] == {"message": "said"}


def test_no_server_is_left_alone_for_ever():
    server = Server((429, {"Retry-After": "1000000"}), (200, {}))

    async def later(api):
        server.now += client.LONGEST_PAUSE
        return await api.get(POD)

    assert server.run(get, later)[1] == {"message": "said"}


def test_a_connection_that_is_refused_says_that_the_server_is_away():
    async def go():
        configuration = Configuration()
        configuration.host = "http://127.0.0.1:9"
        counted = Counter()
        api = Api(ApiClient(configuration), 5.0, counted=counted)
        try:
            with pytest.raises(Unavailable):
                await api.get(POD)
        finally:
            await api.close()
        return dict(counted)

    assert asyncio.run(go()) == {("GET", "error"): 1}


@pytest.mark.parametrize(
    ("status", "kind"), [(409, Conflict), (410, Expired), (429, Unavailable), (500, Unavailable), (504, Unavailable)]
)
def test_an_error_is_told_by_its_status(status, kind):
    (error,) = Server((status, {})).run(get)
    assert (type(error), error.status) == (kind, status)
