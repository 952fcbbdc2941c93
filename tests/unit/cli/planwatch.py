"""What is changed in a process that shall make a plan in a process of its own: who keeps it, and what goes wrong there.

Apart from the tests: that process need not load pytest.
"""

import os
import threading
from pathlib import Path

from sensor.cli import runnable
from sensor.engine.rulesets.bookstore import BookStore


def watch():
    """Note in $WHO where a plan is kept, here or apart; all rule sets are large."""
    runnable._LARGE = 0
    mode, me, kept = os.environ["MODE"], os.getpid(), BookStore.put

    def put(store, *rest):
        apart = os.getpid() != me
        with Path(os.environ["WHO"]).open("a") as out:
            out.write("apart\n" if apart else "here\n")
        if mode == "killed" and apart:
            os.kill(os.getpid(), 9)
        if mode == "failed" and apart:
            raise ValueError("only there")
        kept(store, *rest)

    BookStore.put = put
    if mode == "threads":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
