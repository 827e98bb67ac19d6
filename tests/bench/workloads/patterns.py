"""Regular expressions: the parse trees and compiled forms of many patterns, as a lexer or a log analyser holds them."""

import re
import warnings

from workloads.documents import WORDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        from re import _parser as sre_parse
    except ImportError:
        import sre_parse


def pattern(dice, depth):
    if depth == 0:
        word, bounded = re.escape(dice.choice(WORDS)), r"[^\s,;]{1,%d}" % dice.randint(2, 40)
        return dice.choice((r"\d+", r"[a-z_]\w*", r"\s*", ".", word, bounded))
    kind = dice.random()
    inner = pattern(dice, depth - 1)
    if kind < 0.2:
        return "(%s)" % inner
    if kind < 0.35:
        return "(?P<n%d>%s)" % (dice.randrange(10 ** 9), inner)
    if kind < 0.55:
        return "(?:%s|%s)" % (inner, pattern(dice, depth - 1))
    if kind < 0.65:
        return "(?:%s)%s" % (inner, dice.choice(("?", "{2,5}", "{3}?")))
    if kind < 0.75:
        return "(?%s%s)" % (dice.choice("=!"), inner)
    return inner + pattern(dice, depth - 1)


def inputs(dice):
    return [pattern(dice, dice.randint(2, 6)) for _ in range(3000)]


def units(expressions, dice):
    for expression in expressions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield sre_parse.parse(expression), re.compile(expression)
