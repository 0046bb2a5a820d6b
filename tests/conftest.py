"""What holds for every test: signals are as at a terminal, for the tests and for the processes that they start.

A shell starts what runs in the background with some of them ignored, and nohup(1) does so too; whoever is started
inherits that, and could never be interrupted.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
