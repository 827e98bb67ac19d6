"""The goods on offer and the upstream that knows today's prices."""

import json
import random

COLOURS = ("amber", "black", "blue", "coral", "green", "ivory", "olive", "red", "teal", "white")
THINGS = ("bag", "chair", "clock", "jacket", "kettle", "lamp", "mug", "rug", "scarf", "table")
SIZES = ("small", "medium", "large", "extra large")


class Product:
    __slots__ = ("sku", "name", "thing", "cents", "text")

    def __init__(self, sku, name, thing, cents, text):
        self.sku = sku
        self.name = name
        self.thing = thing
        self.cents = cents
        self.text = text


def load_products():
    dice = random.Random(7)
    products = {}
    for size in SIZES:
        for colour in COLOURS:
            for thing in THINGS:
                name = "%s %s %s" % (size, colour, thing)
                sku = "%s-%s-%s" % (thing[:3].upper(), colour[:3].upper(), size[0].upper())
                text = "A %s, made to last %d years. " % (name, dice.randint(2, 30)) * 3
                products[sku] = Product(sku, name, thing, dice.randint(300, 30000), text)
    return products


PRODUCTS = load_products()


def prices(method, path, body):
    """The price service: what it is asked about, and at what price it goes today."""
    if method != "POST" or path != "/quote":
        return 404, {"error": "no such page"}
    quoted = []
    for sku, pieces in json.loads(body)["lines"]:
        product = PRODUCTS.get(sku)
        if product is None:
            return 422, {"error": "no such article: " + sku}
        discount = 5 if pieces >= 3 else 0
        quoted.append({"sku": sku, "pieces": pieces, "cents": product.cents * pieces * (100 - discount) // 100})
    return 200, {"lines": quoted, "total": sum(line["cents"] for line in quoted)}
