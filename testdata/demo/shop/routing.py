"""From a line of JSON to the function that answers it."""

import json
import re


class HttpError(Exception):
    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Request:
    def __init__(self, raw):
        message = json.loads(raw)
        self.raw = raw
        self.method = message["method"]
        self.path = message["path"]
        self.headers = {name.lower(): value for name, value in message.get("headers", {}).items()}
        self.body = message.get("body") or {}

    @property
    def token(self):
        for part in self.headers.get("cookie", "").split("; "):
            name, _, value = part.partition("=")
            if name == "login":
                return value
        raise HttpError(401, "please log in")


class Router:
    def __init__(self):
        self.routes = []

    def route(self, method, pattern):
        expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + r"\Z")

        def add(function):
            self.routes.append((method, expression, function))
            return function

        return add

    def answer(self, request):
        for method, expression, function in self.routes:
            found = expression.match(request.path) if method == request.method else None
            if found:
                return function(request, **found.groupdict())
        raise HttpError(404, "no such page: " + request.path)
