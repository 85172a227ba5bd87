"""The processes of a training on several machines: where they are, and whether they are there."""

from __future__ import annotations

import json
import re
import socket
import time

from wbce._backend import tf

# Seconds to wait for the other workers: until all are there, and until all begin to train.
PATIENCE = 600

_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


class Cluster:
    """The workers of ``TF_CONFIG``.

    Attributes
    ----------
    addresses : list of str
        Of the chief, if there is one by that name, and the workers.
    own : int
        Which of them this process is.
    """

    def __init__(self, text: str | None) -> None:
        wrong = (
            f"distribute='multi_worker' needs the environment variable TF_CONFIG, which says where "
            f"the workers are and which of them this process is, such as {_EXAMPLE}; "
        )
        if not text:
            raise ValueError(f"{wrong}it is not set. Set it, or pass distribute=None.")
        try:
            said = json.loads(text)
            jobs = said["cluster"]
            kind, index = said["task"]["type"], int(said["task"]["index"])
            places = [
                (job, i, a) for job in ("chief", "worker") for i, a in enumerate(jobs.get(job, []))
            ]
            self._hosts = [(a.rpartition(":")[0], int(a.rpartition(":")[2])) for *_, a in places]
            self._places = [(job, i) for job, i, _ in places]
            self.own = self._places.index((kind, index))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{wrong}it is {text!r} ({type(error).__name__}: {error}). Workers are "
                '"worker", or one "chief" and the others "worker"; the task is one of them.'
            ) from None
        self.addresses = [address for *_, address in places]

    def name(self, number: int) -> str:
        """How an error names a worker."""
        job, index = self._places[number]
        return f"{job} {index} ({self.addresses[number]})"

    def meet(self) -> None:
        """Wait until every worker is there: TensorFlow itself would wait forever.

        Raises
        ------
        RuntimeError
            That names those who are not.
        """
        missing = [i for i in range(len(self.addresses)) if i != self.own]
        port = self._hosts[self.own][1]
        try:
            listener = _listener(port)
        except OSError as error:
            raise RuntimeError(
                f"{self.name(self.own)} cannot listen at its port {port} ({error}): it is taken by "
                "another process. A worker is one process: run a search in it with n_jobs=1, and "
                "let no two workers of a machine have the same port in TF_CONFIG."
            ) from error
        with listener:
            until = time.monotonic() + PATIENCE
            while True:
                missing = [i for i in missing if not _answers(*self._hosts[i])]
                if not missing:
                    return
                if time.monotonic() > until:
                    raise RuntimeError(
                        f"Waited {PATIENCE} seconds for {', '.join(map(self.name, missing))} of "
                        "TF_CONFIG: nobody answers there. Start the same script for every worker, "
                        "each with its own index, and see that they can reach each other."
                    )
                time.sleep(0.1)

    def explained(self, error: Exception) -> Exception:
        """What TensorFlow says of a worker that is gone, in words; other errors as they are."""
        if isinstance(error, tf.errors.DeadlineExceededError):
            return RuntimeError(
                f"Waited {PATIENCE} seconds for the other workers to train the same network as "
                f"{self.name(self.own)}: one of them does something else, or had an error before. "
                "See what each of them says, and start all again."
            )
        if not isinstance(error, (tf.errors.UnavailableError, tf.errors.AbortedError)) and (
            "Collective ops is aborted" not in str(error)
        ):
            return error
        said = re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", str(error))
        gone = {(job, int(index)) for job, index in said} & set(self._places)
        gone.discard(self._places[self.own])
        who = ", ".join(self.name(self._places.index(place)) for place in sorted(gone))
        return RuntimeError(
            f"{who or 'Another worker'} is gone, and the training of {self.name(self.own)} cannot "
            "go on without. Start all workers again, each as a new process; with checkpoint=folder "
            "they go on from the last epochs that were written."
        )


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True
