#!/usr/bin/env python3
"""Serves the shop over a Unix socket, one line of JSON a request."""

import argparse
import json
import os
import signal
import socketserver
import threading


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for raw in self.rfile:
            status, answer = self.server.respond(raw)
            self.wfile.write(json.dumps({"status": status, "body": answer}).encode("utf-8") + b"\n")


class Service(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, address):
        from shop import handlers, routing

        self.routing = routing
        self.router = handlers.router
        self.access_log = handlers.access_log
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True, help="path of the Unix socket to listen on")
    options = parser.parse_args()
    with Service(options.socket) as service:
        # shutdown() waits for serve_forever(), which runs in the thread that receives the signal.
        stop = threading.Thread(target=service.shutdown, daemon=True)
        signal.signal(signal.SIGTERM, lambda number, frame: stop.start())
        service.serve_forever(poll_interval=0.05)
    os.unlink(options.socket)


if __name__ == "__main__":
    main()
