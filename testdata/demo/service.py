#!/usr/bin/env python3
"""Serves the shop over a Unix socket, one line of JSON a request. With --trace it also writes tracemalloc snapshots
on request: {"method": "POST", "path": "/admin/snapshot", "body": {"name": "before"}} makes FOLDER/before.pickle."""

import argparse
import json
import os
import re
import signal
import socketserver
import threading
import tracemalloc


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for raw in self.rfile:
            status, answer = self.server.respond(raw)
            self.wfile.write(json.dumps({"status": status, "body": answer}).encode("utf-8") + b"\n")


class Service(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, address, snapshot_folder):
        # Imported only now, so that a tracer that was just started sees the application come up.
        from shop import handlers, routing

        self.routing = routing
        self.router = handlers.router
        self.access_log = handlers.access_log
        self.snapshot_folder = snapshot_folder
        self.router.route("POST", "/admin/snapshot")(self.snapshot)
        super().__init__(address, Connection)

    def respond(self, raw):
        try:
            request = self.routing.Request(raw)
        except (ValueError, KeyError) as error:
            return 400, {"error": str(error)}
        try:
            status, answer = 200, self.router.answer(request)
        except self.routing.HttpError as error:
            status, answer = error.status, {"error": str(error)}
        self.access_log.write(request, status)
        return status, answer

    def snapshot(self, request):
        name = str(request.body.get("name", ""))
        if not tracemalloc.is_tracing() or not re.match(r"[\w-]+\Z", name):
            raise self.routing.HttpError(409, "start the service with --trace, and give the snapshot a plain name")
        path = os.path.join(self.snapshot_folder, name + ".pickle")
        tracemalloc.take_snapshot().dump(path)
        return {"file": path}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True, help="path of the Unix socket to listen on")
    parser.add_argument("--trace", type=int, metavar="FRAMES", help="run under tracemalloc with so many frames")
    parser.add_argument("--snapshots", default=".", metavar="FOLDER", help="where snapshots go (default: here)")
    options = parser.parse_args()
    if options.trace:
        tracemalloc.start(options.trace)
    with Service(options.socket, options.snapshots) as service:
        # shutdown() waits for serve_forever(), which runs in the thread that receives the signal.
        stop = threading.Thread(target=service.shutdown, daemon=True)
        signal.signal(signal.SIGTERM, lambda number, frame: stop.start())
        service.serve_forever(poll_interval=0.05)
    os.unlink(options.socket)


if __name__ == "__main__":
    main()
