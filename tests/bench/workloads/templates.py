"""A template engine: parses nested templates into nodes and renders them, each node by its own method, into kept fragments."""

import re

from workloads.documents import WORDS, record, text

TOKEN = re.compile(r"({%.*?%}|{{.*?}})")


class Node:
    def __init__(self, argument, children):
        self.argument = argument
        self.children = children

    def fragments(self, context):
        return [child.render(context) for child in self.children]


class Text(Node):
    def render(self, context):
        return self.argument


class Value(Node):
    def render(self, context):
        return "%s" % context.get(self.argument, "")


class If(Node):
    def render(self, context):
        if self.argument in context:
            return ["if"] + self.fragments(context)
        return []


class For(Node):
    def render(self, context):
        rendered = []
        for position in range(2):
            inner = dict(context, loop=position)
            rendered.append(self.fragments(inner))
        return rendered


class Block(Node):
    def render(self, context):
        return self.argument, self.fragments(context)


class With(Node):
    def render(self, context):
        inner = {self.argument: text_of(context), **context}
        return {"with": [child.render(inner) for child in self.children]}


def text_of(context):
    return ",".join(sorted(context))


TAGS = {"if": If, "for": For, "block": Block, "with": With}


class Parser:
    def __init__(self, source):
        self.tokens = [token for token in TOKEN.split(source) if token]
        self.position = 0

    def until(self, end):
        nodes = []
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            if token.startswith("{{"):
                nodes.append(Value(token[2:-2].strip(), ()))
            elif token.startswith("{%"):
                words = token[2:-2].split()
                if words[0] == end:
                    return nodes
                nodes.append(self.tag(*words))
            else:
                nodes.append(Text(token, ()))
        return nodes

    def tag(self, name, argument):
        return TAGS[name](argument, self.until("end" + name))


def source(dice, depth):
    parts = []
    for _ in range(dice.randint(1, 3)):
        parts.append(text(dice, dice.randint(1, 5)))
        parts.append("{{ %s }}" % dice.choice(WORDS))
        if depth:
            name = dice.choice(sorted(TAGS))
            parts.append("{%% %s %s %%}%s{%% end%s %%}" % (name, dice.choice(WORDS), source(dice, depth - 1), name))
    return "".join(parts)


def inputs(dice):
    return [(source(dice, dice.randint(2, 5)), record(dice, 1)) for _ in range(200)]


def units(given, dice):
    while True:
        text_source, context = dice.choice(given)
        page = Block("page", Parser(text_source).until(None))
        yield page, page.render(context)
