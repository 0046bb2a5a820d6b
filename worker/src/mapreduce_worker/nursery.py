"""`python -m mapreduce_worker.nursery FD`: imports what workers and gateways need, and forks them.

It has one thread, opens nothing, knows no secret and runs no user code: each copy begins as a new
process would. It ends when its channel FD closes; what it has forked ends with the command (their
`MAPREDUCE_PARENT_FD`). Neighbours: `mapreduce.nursery` (what is said over the channel), `newborn.py`,
`__main__` (what a copy runs).
"""

from __future__ import annotations

import array
import errno
import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Final

from mapreduce import nursery, starting
from mapreduce_worker import newborn

with starting.imports():
    from mapreduce_worker import __main__ as worker
    from mapreduce_worker import agent, client
    from mapreduce_worker.gateway import shell
    from mapreduce_worker.slots import process, warm

HELD: Final = (agent, client, shell, process, warm)
"""What the copies find imported."""


def main(fd: int) -> None:
    """Serve the channel until it closes; not at all where processes are better started one by one."""
    if not newborn.possible():
        return
    os.set_inheritable(fd, False)
    gc.freeze()
    with socket.socket(fileno=fd) as channel, selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not channel:
                    selector.unregister(key.fileobj)
                    _tell_end(channel, key.fd, key.data)
                elif not _serve(channel, selector):
                    return


def _serve(channel: socket.socket, selector: selectors.BaseSelector) -> bool:
    """Fork what is asked for; returns whether the channel is still open."""
    descriptors = array.array("i")
    room = nursery.DESCRIPTORS * descriptors.itemsize
    message, parts, _, _ = channel.recvmsg(nursery.MAX_REQUEST, socket.CMSG_SPACE(room))
    if not message:
        return False
    for _, _, data in parts:
        descriptors.frombytes(data[:room])
    try:
        if len(descriptors) < nursery.DESCRIPTORS:
            # The kernel drops those for which this process may have no more.
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        pid = os.fork()
        if pid == 0:
            _be(nursery.variables(message), *descriptors)
        _watch(selector, pid)
    except OSError as error:
        channel.send(nursery.Told(nursery.UNBORN, 0, error.errno or 0).pack())
        return True
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    channel.send(nursery.Told(nursery.BORN, pid, 0).pack())
    return True


def _watch(selector: selectors.BaseSelector, pid: int) -> None:
    """Await the end of a copy; one that cannot be watched ends now. Raises `OSError` for that."""
    try:
        selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _be(variables: dict[str, str], printed: int, token: int, parent: int) -> None:
    """Be the worker or gateway that the variables describe; never returns."""
    status = 1
    try:
        own = {"MAPREDUCE_TOKEN_FD": str(token), "MAPREDUCE_PARENT_FD": str(parent)}
        newborn.begin(variables["MAPREDUCE_ROLE"], os.environ | variables | own, printed, {token, parent})
        status = worker.main()
    except BaseException:  # noqa: BLE001 - the end of a process, as the interpreter's own
        traceback.print_exc()
    finally:
        os._exit(status)


def _tell_end(channel: socket.socket, fd: int, pid: int) -> None:
    os.close(fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    channel.send(nursery.Told(nursery.ENDED, pid, code).pack())


if __name__ == "__main__":
    main(int(sys.argv[1]))
