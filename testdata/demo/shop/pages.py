"""Templates, parsed once, and the pages made from them."""

import functools
import html
import string

TEMPLATES = {
    "product": "<article id='$sku'><h1>$name</h1><p>$text</p><p class='price'>$price</p>$offers</article>",
    "offer": "<li><a href='/product/$sku'>$name</a> $price</li>",
    "basket": "<table class='basket' data-owner='$owner'>$rows</table><p class='price'>$price</p>",
    "row": "<tr><td>$sku</td><td>$pieces</td><td>$price</td></tr>",
}


@functools.lru_cache(maxsize=32)
def template(name):
    return string.Template(TEMPLATES[name])


def money(cents):
    return "%d.%02d" % divmod(cents, 100)


def fill(template_name, **values):
    escaped = {key: value if key in ("offers", "rows") else html.escape(str(value)) for key, value in values.items()}
    return template(template_name).substitute(escaped)


def product_page(product, related):
    offers = "".join(fill("offer", sku=p.sku, name=p.name, price=money(p.cents)) for p in related)
    return fill("product", sku=product.sku, name=product.name, text=product.text, price=money(product.cents), offers=offers)


def basket_page(owner, quoted):
    rows = "".join(fill("row", sku=l["sku"], pieces=l["pieces"], price=money(l["cents"])) for l in quoted["lines"])
    return fill("basket", owner=owner, rows=rows, price=money(quoted["total"]))
