"""Requests to a Django application: middleware, URL patterns, views, templates, forms."""

import django
from django.conf import settings

TEMPLATE = """{% for item in items %}<li class="{% cycle 'odd' 'even' %}">{{ item.name|upper }}: {{ item.price|floatformat:2 }}</li>
{% endfor %}"""

settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"list.html": TEMPLATE})]}}],
)
django.setup()

from django.http import JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


def listing(request, number):
    return render(request, "list.html", {"items": [{"name": "item %d" % n, "price": n / 3} for n in range(number % 30)]})


def details(request, number):
    return JsonResponse({"number": number, "query": dict(request.GET)})


urlpatterns = [path("list/<int:number>/", listing), path("item/<int:number>/", details)]


def main():
    client = Client()
    for number in range(700):
        assert client.get("/list/%d/" % number).status_code == 200
        assert client.get("/item/%d/" % number, {"a": "1", "b": ["2", "3"]}).json()["number"] == number


main()
