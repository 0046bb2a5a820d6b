"""What can go wrong between the operator and the API server, in our words.

`client.py` turns the client library's exceptions into these; nobody else sees the library's.
"""

from __future__ import annotations

from mapreduce.errors import SystemFault, UsageError


class InvalidSpec(UsageError):
    """The resource asks for something that cannot be done; the message is for its author."""


class ApiError(SystemFault):
    """The API server refused a request. `status` is the HTTP status, `reason` its own word."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """The object does not exist (404)."""


class Conflict(ApiError):
    """Another write came first (409), or the object exists already."""


class Forbidden(ApiError):
    """Not allowed (403): by rights, by a quota, or by an admission rule."""


class Rejected(ApiError):
    """The request makes no sense to the API server (400, 422): trying again cannot help."""


class Unavailable(ApiError):
    """No answer in time, no connection, too many requests, or an error of the server: try again."""


class Unauthorized(Unavailable):
    """The credentials are not accepted (401): they have expired, and new ones were not there yet. Try again."""


class Expired(Unavailable):
    """A LIST took so long that its next page is not to be had any more (410): begin anew."""


class LeaseLost(SystemFault):
    """Another operator holds the Lease: this process must write nothing more, and end."""
