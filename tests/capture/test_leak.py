"""The classic case: a service whose requests each make a session of an HTTP client and keep it. From its
snapshots the tools name the line of the program that is to blame, and that first."""

import json
import subprocess
import unittest

from capturing import CaptureCase, for_each_python

# The client is Python's own, and one that keeps as much for a session as others do.
CLIENT = """
    import http.client, http.cookiejar

    class Adapter:
        def __init__(self):
            self.pools, self.retries = {}, {"total": 0, "connect": None, "read": False}
            self.lock = __import__("threading").RLock()

    class Session:
        def __init__(self, address):
            self.address = address
            self.headers = {"User-Agent": "client/%d" % id(self), "Accept": "*/*", "Connection": "keep-alive"}
            self.cookies = http.cookiejar.CookieJar()
            self.hooks = {"response": []}
            self.adapters = {"https://": Adapter(), "http://": Adapter()}

        def get(self, path):
            connection = http.client.HTTPConnection(*self.address)
            connection.request("GET", path, headers=self.headers)
            body = connection.getresponse().read()
            connection.close()
            return body

    def ask(address, path):
        session = Session(address)
        return session, session.get(path)
"""
SERVICE = """
    import http.server, json, sys, threading
    import client, snapcapture

    class Prices(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"path": self.path, "price": 5, "tax": [1, 2, 3]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *arguments):
            pass

    upstream = http.server.HTTPServer(("127.0.0.1", 0), Prices)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    sessions, recent = {}, []

    def handle(request):
        session, body = client.ask(upstream.server_address, "/price/%d" % request)  # LEAK
        sessions[request] = session
        answer = json.loads(body)
        recent.append([answer, dict(answer), str(answer)])
        del recent[:-100]

    for request in range(200):
        handle(request)
    for number in range(7):
        snapcapture.snapshot()
        for request in range(400):
            handle(200 + number * 400 + request)
"""
# The same with a client that many services have.
OF_REQUESTS = """
    import requests

    class Session(requests.Session):
        def __init__(self, address):
            super().__init__()
            self.address = address

        def get(self, path):
            with super().get("http://%s:%d%s" % (*self.address, path)) as answer:
                return answer.content

    def ask(address, path):
        session = Session(address)
        return session, session.get(path)
"""
LEAK = next(number for number, line in enumerate(SERVICE.splitlines(), 1) if "# LEAK" in line)


class Leak:
    def check(self, client, mode):
        folder = self.folder / mode / "lib/site-packages"
        folder.mkdir(parents=True)
        self.snaps = self.folder / mode / "snaps"
        self.write(client, folder / "client.py")
        service = self.write(SERVICE, self.folder / mode / "service.py")
        self.capture(service, options=["--mode", mode, "-t", "25"], env={"PYTHONPATH": str(folder), "SNAPRUN_SEED": "5"})
        series = " ".join(map(str, self.only_series()))
        first, last = series.split()[0], series.split()[-1]
        guilty = {"file": str(service), "line": LEAK}
        done = self.shell("set -o pipefail; "
                          f"snapdiff {first} {last} | snapfilter --hide @stdlib --hide @site-packages | snaptop --json 1")
        self.assertEqual((done.status, done.err), (0, ""))
        frame, = json.loads(done.out)["rows"][0]["traceback"]
        self.assertEqual({**frame, **guilty}, frame, done.out)
        done = self.shell(f"snaptrend --json 1 {series}")
        self.assertEqual((done.status, done.err), (0, ""))
        suspect = json.loads(done.out)["rows"][0]
        stack = [{name: frame[name] for name in guilty} for frame in suspect["largest_traceback"]]
        self.assertIn(guilty, stack)
        self.assertIn("leak", suspect["verdict"])

    def test_tools_name_the_line(self):
        for mode in ("exact", "sampled", "tracemalloc"):
            with self.subTest(mode=mode):
                self.check(CLIENT, mode)

    def test_with_requests(self):
        if subprocess.run([self.python, "-c", "import requests"], capture_output=True).returncode != 0:
            print(f"not run: {self.id()}: this interpreter has no requests")
            return
        for mode in ("exact", "sampled"):
            with self.subTest(mode=mode):
                self.check(OF_REQUESTS, mode)


globals().update(for_each_python(Leak, few=True))


if __name__ == "__main__":
    unittest.main()
