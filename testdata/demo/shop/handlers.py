"""What the shop answers: one function for each address."""

from shop import pages, pricing
from shop.caches import AccessLog, LruCache, Logins
from shop.catalog import PRODUCTS
from shop.routing import HttpError, Router

router = Router()
page_cache = LruCache(capacity=300)
logins = Logins(ttl=1.0)
access_log = AccessLog(lines=500)


def product_of(sku):
    if sku not in PRODUCTS:
        raise HttpError(404, "no such article: " + sku)
    return PRODUCTS[sku]


def related_to(product):
    return [p for p in PRODUCTS.values() if p.thing is product.thing and p is not product][:4]


@router.route("GET", "/product/{sku}")
def show_product(request, sku):
    product = product_of(sku)
    quoted = pricing.quote(request, [[sku, 1]])
    page = page_cache.get(sku, lambda: pages.product_page(product, related_to(product)))
    return {"page": page, "today": pages.money(quoted["total"])}


@router.route("POST", "/basket/{sku}")
def put_into_basket(request, sku):
    login = logins.of(request.token)
    login.basket[product_of(sku).sku] = int(request.body.get("pieces", 1))
    quoted = pricing.quote(request, list(login.basket.items()))
    return {"page": pages.basket_page(login.customer, quoted), "articles": len(login.basket)}


@router.route("POST", "/checkout")
def check_out(request):
    login = logins.of(request.token)
    quoted = pricing.quote(request, list(login.basket.items()))
    login.basket.clear()
    return {"paid": pages.money(quoted["total"]), "articles": len(quoted["lines"])}


@router.route("GET", "/status")
def status(request):
    return {"cached_pages": len(page_cache.entries), "logins": len(logins.by_token), "log": len(access_log.lines)}
