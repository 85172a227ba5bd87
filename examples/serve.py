"""An HTTP service around a fitted estimator or Pipeline, with nothing but the standard library.

    python examples/serve.py model.wbce [--port 8000]

A file written by the estimator's `save` is read without running any code of it. One that ends in
.joblib or .pkl may hold a whole Pipeline, and is loaded by joblib, which runs what it says: serve
only such files as you wrote yourself. docs/serving.md has a run-through.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from select import select
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

import wbce

LARGEST_REQUEST = 8 * 2**20  # bytes
SLOWEST_CLIENT = 30.0  # seconds without a byte
GRACE = 0.5  # seconds for what is on its way when a connection or the service ends
Answer = tuple[int, dict[str, Any]]


class Refused(Exception):
    """A request that is not answered, with the status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


# ---------------------------------------------------------------------- the model


@dataclass(frozen=True)
class Model:
    """A loaded file: it never changes, and a newer file is another `Model`."""

    estimator: Any
    version: str  # of the file's content
    seen_as: tuple[int, ...]  # the file, as the system tells one from the next

    def predict(self, rows: Any) -> dict[str, Any]:
        X = table(rows, self.estimator)
        last = self.estimator[-1] if isinstance(self.estimator, Pipeline) else self.estimator
        return {
            "labels": self.estimator.predict(X).tolist(),
            "probabilities": self.estimator.predict_proba(X).tolist(),
            "classes": np.asarray(self.estimator.classes_).tolist(),
            "threshold": np.asarray(getattr(last, "threshold_", None)).tolist(),
            "model": self.version,
        }


def read_model(path: Path) -> Model:
    """Load a file; once more, if it was replaced meanwhile."""
    while True:
        before = seen_as(path)
        with open(path, "rb") as file:
            version = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        runs_code = path.suffix in (".joblib", ".pkl", ".pickle")
        estimator = joblib.load(path) if runs_code else wbce.load(path)
        if seen_as(path) == before:
            return Model(estimator, version, before)


def seen_as(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def table(rows: Any, estimator: Any) -> Any:
    """Rows of a request as the estimator takes them."""
    if not isinstance(rows, list) or not rows:
        raise Refused(400, "The body must be a JSON list of rows, at least one.")
    names = getattr(estimator, "feature_names_in_", None)
    if all(isinstance(row, dict) for row in rows):
        rows = [in_order(row, names) for row in rows]
    elif not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        raise Refused(
            400, "Rows must be all lists of the same length, or all objects by feature name."
        )
    rows = [[np.nan if value is None else value for value in row] for row in rows]
    if names is not None and find_spec("pandas") and len(rows[0]) == len(names):
        import pandas as pd

        return pd.DataFrame(rows, columns=names)
    return np.asarray(rows)


def in_order(row: dict[str, Any], names: Any) -> list[Any]:
    if names is None:
        raise Refused(400, "The model was fitted without feature names: send rows as lists.")
    missing, unknown = set(names) - set(row), set(row) - set(names)
    if missing or unknown:
        raise Refused(
            400, f"A row lacks the features {sorted(missing)}, and has unknown {sorted(unknown)}."
        )
    return [row[name] for name in names]


# ---------------------------------------------------------------------- the service


class Service:
    """The model of a file, and its successors, as answers to requests.

    Parameters
    ----------
    path : path-like
    check : list, optional
        Rows that a model must be able to predict before it is taken. By default the first row of
        the last request that was answered.
    """

    def __init__(self, path: str | os.PathLike[str], check: Any = None) -> None:
        self.path = Path(path)
        self._check = check
        self._loading = threading.Lock()
        self._last: Any = None
        self._looked_at: tuple[int, ...] = ()
        self.problem: str | None = None
        self.model = self._tried()

    def answer(self, method: str, path: str, body: Callable[[], bytes]) -> Answer:
        """Answer a request; whatever goes wrong is an answer as well."""
        try:
            what = self._ways().get(path)
            if what is None:
                raise Refused(404, f"There is no {path}; there are {', '.join(self._ways())}.")
            if method != what[0]:
                raise Refused(405, f"{path} is for {what[0]}.")
            return what[1](body)
        except Refused as refused:
            return refused.status, {"error": str(refused)}
        except Exception:
            traceback.print_exc()
            return 500, {"error": "The service failed; its log says where."}

    def _ways(self) -> dict[str, tuple[str, Callable[[Callable[[], bytes]], Answer]]]:
        return {
            "/predict": ("POST", self._predict),
            "/health": ("GET", self._health),
            "/reload": ("POST", self._reload),
        }

    def _predict(self, body: Callable[[], bytes]) -> Answer:
        try:
            rows = json.loads(body())
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"The body is no JSON: {error}") from None
        model = self.model  # the same one to the end, whatever comes in between
        try:
            answer = model.predict(rows)
        except (ValueError, TypeError, OverflowError) as error:  # what the estimator says of rows
            raise Refused(400, str(error)) from error
        self._last = rows[:1]
        return 200, answer

    def _health(self, body: Callable[[], bytes]) -> Answer:
        return 200, {"status": "ok", "model": self.model.version, "problem": self.problem}

    def _reload(self, body: Callable[[], bytes]) -> Answer:
        self.reload()
        if self.problem is not None:
            raise Refused(409, self.problem)
        return 200, {"model": self.model.version}

    def reload(self) -> None:
        """Take the file as it is now; the old model answers meanwhile, and on if that fails."""
        with self._loading:
            try:
                self.model = self._tried()
                self.problem = None
                print(f"serving {self.path}, {self.model.version}", flush=True)
            except Exception as error:  # of a file of any content
                self.problem = f"{self.path.name} is not taken: {error}"
                print(f"{self.problem} ({self.model.version} goes on)", file=sys.stderr, flush=True)

    def reload_if_new(self) -> None:
        """Take a file that is neither the one that is served nor one that was refused."""
        try:
            now = seen_as(self.path)
        except OSError:
            return  # between two versions, or gone: the model that is loaded goes on
        if now not in (self.model.seen_as, self._looked_at):
            self._looked_at = now
            self.reload()

    def _tried(self) -> Model:
        model = read_model(self.path)
        rows = self._check or self._last
        if rows:
            model.predict(rows)
        return model


# ---------------------------------------------------------------------- HTTP


class Server(ThreadingHTTPServer):
    """A thread for every connection; `stop` waits for what they have begun."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: Service, largest: int) -> None:
        super().__init__(address, Handler)
        self.service = service
        self.largest = largest
        self.stopping = False
        self.idle: set[socket.socket] = set()  # connections between two requests

    def stop(self) -> None:
        self.stopping = True
        self.shutdown()
        while select([self.socket], [], [], 0)[0]:  # those that wait to be let in
            self.handle_request()
        self.socket.close()
        time.sleep(GRACE)
        for connection in list(self.idle):
            no_more_of(connection)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = SLOWEST_CLIENT
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.server.idle.add(self.connection)
        if self.server.stopping:
            self.connection.settimeout(GRACE)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.server.idle.discard(self.connection)
        return super().parse_request()

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def finish(self) -> None:
        self.server.idle.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        self._unread = (
            "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"
        )
        status, document = self.server.service.answer(self.command, self.path, self._body)
        if self._unread or self.server.stopping:
            self.close_connection = True
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)
        if self._unread:
            self._throw_away()

    def _throw_away(self) -> None:
        """Read on for a moment: to close on unread bytes would take the answer back."""
        self.wfile.flush()
        self.connection.settimeout(GRACE)
        end = time.monotonic() + 4 * GRACE
        while time.monotonic() < end and self.rfile.read1(2**16):
            pass

    def do_GET(self) -> None:
        self.do_POST()

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            raise Refused(411, "The request must say its Content-Length.") from None
        check_length(length, self.server.largest)
        body = self.rfile.read(length)
        if len(body) < length:
            raise Refused(400, "The request was cut off.")
        self._unread = False
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """No line for every request."""


def check_length(length: int, largest: int) -> None:
    if not 0 <= length <= largest:
        raise Refused(413, f"A request may have {largest} bytes, and this one has {length}.")


def no_more_of(connection: socket.socket) -> None:
    """End a connection behind what has been received of it."""
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # closed by the other side already


def wsgi(path: str) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The same service for gunicorn and other WSGI servers."""
    service = Service(path)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        def body() -> bytes:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            check_length(length, LARGEST_REQUEST)
            received: bytes = environ["wsgi.input"].read(length)
            return received

        method, way = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        status, document = service.answer(method, way, body)
        text = json.dumps(document).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [text]

    return application


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a file of the estimator's save, or a .joblib or .pkl")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")
    parser.add_argument("--watch", type=float, default=1.0, metavar="SECONDS",
                        help="how often to look for a new file; 0 is never")  # fmt: skip
    parser.add_argument("--check", metavar="FILE",
                        help="JSON rows that a model must predict before it is taken")  # fmt: skip
    parser.add_argument("--largest-request", type=int, default=LARGEST_REQUEST, metavar="BYTES")
    options = parser.parse_args()

    check = json.loads(Path(options.check).read_text()) if options.check else None
    service = Service(options.model, check)
    server = Server((options.host, options.port), service, options.largest_request)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, name="accept").start()
    print(f"serving {options.model}, {service.model.version}", flush=True)
    print(f"listening on http://{options.host}:{server.server_port}", flush=True)
    while not stop.wait(options.watch or None):
        service.reload_if_new()
    started = time.monotonic()
    server.stop()
    print(f"stopped in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
