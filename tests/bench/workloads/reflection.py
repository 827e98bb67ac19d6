"""Describes the modules that are loaded: signatures, documentation, fields; and makes classes at run time from the answers."""

import argparse
import collections
import dataclasses
import enum
import inspect
import sys
import types
import typing
import unittest

from workloads.documents import WORDS, text


def described(module):
    found = {}
    for name, thing in list(vars(module).items()):
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            methods = {}
            for method, function in inspect.getmembers(thing, inspect.isfunction):
                methods[method] = signature_of(function)
            found[name] = inspect.getdoc(thing), methods, inspect.getmro(thing)
        elif inspect.isfunction(thing):
            found[name] = inspect.getdoc(thing), signature_of(thing), None
    return found


def signature_of(function):
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


def command_line(dice):
    parser = argparse.ArgumentParser(prog=text(dice, 1))
    commands = parser.add_subparsers(dest="command")
    for name in dice.sample(WORDS, 4):
        command = commands.add_parser(name, help=text(dice, 5))
        for option in dice.sample(WORDS, dice.randint(2, 6)):
            command.add_argument("--" + option, type=dice.choice((int, str, float)), help=text(dice, 4))
        exclusive = command.add_mutually_exclusive_group()
        exclusive.add_argument("--fast-" + name, action="store_true")
        exclusive.add_argument("--safe-" + name, action="store_true")
    return parser


def made_classes(dice):
    names = dice.sample(WORDS, 6)
    hints = (int, str, typing.List[str], typing.Optional[int], typing.Dict[str, int])
    fields = [(name, dice.choice(hints), dataclasses.field(default=None)) for name in names]
    return (
        dataclasses.make_dataclass(names[0].title(), fields, order=dice.random() < 0.3),
        collections.namedtuple(names[1].title(), names),
        enum.Enum(names[2].title(), names),
    )


def check(self):
    self.assertTrue(self.id())


def test_suite(dice):
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for name in dice.sample(WORDS, 3):
        body = {"test_" + word: types.FunctionType(check.__code__, {}, word) for word in dice.sample(WORDS, 8)}
        suite.addTest(loader.loadTestsFromTestCase(type(name.title(), (unittest.TestCase,), body)))
    result = unittest.TestResult()
    suite.run(result)
    return suite, result


def inputs(dice):
    return None


def units(_, dice):
    while True:
        modules = [m for name, m in sorted(sys.modules.items()) if isinstance(m, types.ModuleType)]
        for module in dice.sample(modules, min(len(modules), 40)):
            yield described(module)
            yield made_classes(dice)
        yield command_line(dice)
        yield test_suite(dice)
