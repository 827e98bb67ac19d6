"""An HTTP client in the manner of `requests`: sessions with headers, cookies, adapters and hooks. Adapters answer in process."""

import json
import time
from collections import OrderedDict
from urllib.parse import urlencode, urlsplit

USER_AGENT = "shop-client/2.4"


class ClientError(Exception):
    """No adapter for an address, or an upstream that answered with an error."""


class Headers(dict):
    """Header names compare without regard to case."""

    def __init__(self, pairs=()):
        super().__init__()
        self.update(pairs)

    def __setitem__(self, name, value):
        super().__setitem__(name.lower(), value)

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def update(self, pairs=()):
        for name, value in dict(pairs).items():
            self[name] = value


class Request:
    def __init__(self, method, url, headers=(), params=None, body=None):
        self.method = method
        self.url = url + "?" + urlencode(params) if params else url
        self.headers = headers
        self.body = body


class Response:
    def __init__(self, request, status, content):
        self.request = request
        self.status = status
        self.content = content
        self.elapsed = 0.0

    def json(self):
        return json.loads(self.content)

    def raise_for_status(self):
        if self.status >= 400:
            raise ClientError("%d for %s" % (self.status, self.request.url))


class InProcessAdapter:
    """Carries a request to a function instead of a socket."""

    def __init__(self, endpoint, retries=1):
        self.endpoint = endpoint
        self.retries = retries

    def send(self, request):
        path = urlsplit(request.url).path
        for attempt in range(self.retries + 1):
            status, answer = self.endpoint(request.method, path, request.body)
            if status != 503:
                break
        return Response(request, status, json.dumps(answer).encode("utf-8"))


class Session:
    """Settings that the requests of one conversation share."""

    def __init__(self):
        self.headers = Headers({"User-Agent": USER_AGENT, "Accept": "application/json"})
        self.cookies = {}
        self.hooks = {"response": []}
        self.adapters = OrderedDict()

    def mount(self, prefix, adapter):
        self.adapters[prefix] = adapter

    def adapter_for(self, url):
        for prefix, adapter in self.adapters.items():
            if url.startswith(prefix):
                return adapter
        raise ClientError("no adapter for " + url)

    def request(self, method, url, params=None, headers=(), json_body=None):
        merged = Headers(self.headers)
        merged.update(headers)
        if self.cookies:
            merged["Cookie"] = "; ".join("%s=%s" % pair for pair in self.cookies.items())
        body = None
        if json_body is not None:
            body = json.dumps(json_body).encode("utf-8")
            merged["Content-Type"] = "application/json"
        return self.send(Request(method, url, merged, params, body))

    def send(self, request):
        started = time.perf_counter()
        response = self.adapter_for(request.url).send(request)
        response.elapsed = time.perf_counter() - started
        for hook in self.hooks["response"]:
            hook(self, response)
        return response

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)
