"""Reads documents as services do: JSON by the C and by the Python scanner, XML as DOM and as element tree, HTML, plists, INI."""

import configparser
import copy
import html.parser
import json
import json.decoder
import json.scanner
import plistlib
import xml.dom.minidom
import xml.etree.ElementTree

WORDS = (
    "account address amount balance basket branch cargo client colour contract country customer date delivery depot "
    "discount driver email employee factory freight goods height house invoice item label length limit machine manager "
    "market member message method minute money month number office order owner packet payment person phone piece place "
    "price product rate reason record region report result route sample season service shelf size status stock street "
    "supplier table tariff tax ticket time token total town truck type unit user value vendor weight width zone"
).split()


def text(dice, words):
    return " ".join(dice.choice(WORDS) for _ in range(words))


def record(dice, depth):
    """Plain nested data, irregular as real messages are."""
    made = {"id": dice.randint(1, 10 ** 9), "name": text(dice, 2), dice.choice(WORDS): dice.random() * 1000}
    for name in dice.sample(WORDS, dice.randint(1, 5)):
        kind = dice.random()
        if depth and kind < 0.3:
            made[name] = [record(dice, depth - 1) for _ in range(dice.randint(1, 4))]
        elif depth and kind < 0.5:
            made[name] = record(dice, depth - 1)
        elif kind < 0.7:
            made[name] = text(dice, dice.randint(1, 12))
        elif kind < 0.85:
            made[name] = [dice.randint(0, 5000) for _ in range(dice.randint(1, 8))]
        else:
            made[name] = dice.random() < 0.5
    return made


class SlowDecoder(json.JSONDecoder):
    """The decoder as it runs where the C scanner cannot be used."""

    def __init__(self):
        super().__init__()
        self.parse_object = json.decoder.JSONObject
        self.parse_array = json.decoder.JSONArray
        self.parse_string = json.decoder.py_scanstring
        self.scan_once = json.scanner.py_make_scanner(self)


def markup(dice, depth, tags):
    if depth == 0:
        return text(dice, dice.randint(1, 6))
    tag = dice.choice(tags)
    attributes = "".join(' %s="%s"' % (name, dice.randint(0, 999)) for name in dice.sample(WORDS, dice.randint(0, 3)))
    inner = "".join(markup(dice, depth - 1, tags) for _ in range(dice.randint(1, 4)))
    return "<%s%s>%s</%s>" % (tag, attributes, inner, tag)


class Element:
    def __init__(self, tag, attributes):
        self.tag = tag
        self.attributes = dict(attributes)
        self.children = []


class TreeBuilder(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = Element("#document", ())
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs)
        self.open[-1].children.append(element)
        self.open.append(element)

    def handle_endtag(self, tag):
        if len(self.open) > 1:
            self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data.strip())


def styled(element, inherited):
    """What a layout engine computes: the style of each element follows from its parent's."""
    style = {name: value for name, value in inherited.items() if name != "width"}
    for name, value in element.attributes.items():
        style[name] = value + "px"
    if element.tag in ("td", "th"):
        boxes = [styled(child, style) for child in element.children if isinstance(child, Element)]
    elif element.tag in ("ul", "ol"):
        boxes = []
        for child in element.children:
            if isinstance(child, Element):
                boxes.append(styled(child, dict(style, bullet=len(boxes))))
    else:
        boxes = [styled(child, style) if isinstance(child, Element) else (child, len(child)) for child in element.children]
    return element.tag, style, boxes


class Inputs:
    def __init__(self, dice, count):
        tags = ("div", "p", "span", "ul", "li", "td", "th", "table", "ol")
        self.messages = [json.dumps([record(dice, 3) for _ in range(4)]) for _ in range(count)]
        self.trees = [record(dice, 4) for _ in range(count)]
        self.markup = [markup(dice, 5, WORDS) for _ in range(count)]
        self.pages = [markup(dice, 6, tags) for _ in range(count)]
        self.plists = [plistlib.dumps({"items": [record(dice, 2)]}) for _ in range(count)]
        self.settings = [
            {text(dice, 2): {name: text(dice, 3) for name in dice.sample(WORDS, 8)} for _ in range(6)} for _ in range(count)]


def inputs(dice):
    return Inputs(dice, 60)


def units(given, dice):
    slow = SlowDecoder()
    while True:
        yield json.loads(dice.choice(given.messages))
        yield slow.decode(dice.choice(given.messages))
        yield copy.deepcopy(dice.choice(given.trees))
        yield xml.dom.minidom.parseString(dice.choice(given.markup))
        yield xml.etree.ElementTree.fromstring(dice.choice(given.markup))
        builder = TreeBuilder()
        builder.feed(dice.choice(given.pages))
        yield builder.root
        yield styled(builder.root, {"font": "serif", "colour": "black"})
        yield plistlib.loads(dice.choice(given.plists))
        settings = configparser.ConfigParser(interpolation=None)
        settings.read_dict(dice.choice(given.settings))
        yield settings
