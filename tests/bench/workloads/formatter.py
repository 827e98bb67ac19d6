"""A code formatter: turns the standard library's syntax trees into layout trees and these into lines; it keeps both."""

import ast
import functools

from workloads.sources import shuffled_sources, syntax_trees

WIDTH = 79


class Layout:
    """Parts that stand on one line if they fit, on lines of their own otherwise."""

    __slots__ = ("parts", "width", "flat")

    def __init__(self, *parts):
        self.parts = parts
        self.flat = "".join([part if isinstance(part, str) else part.flat for part in parts])[:WIDTH]
        self.width = len(self.flat)


class Broken(Layout):
    __slots__ = ("opening", "closing")

    def __init__(self, opening, parts, closing):
        super().__init__(opening, *parts, closing)
        self.opening = opening
        self.closing = closing


class Lines:
    def __init__(self, indent, header):
        self.header = header
        self.indent = indent
        self.text = []
        self.nested = []

    def add(self, layout):
        self.text.append(" " * self.indent + layout.flat)
        self.nested.append(layout)


@functools.singledispatch
def layout(node):
    return Layout(type(node).__name__)


def joined(nodes, separator=", "):
    parts = []
    for node in nodes:
        if parts:
            parts.append(separator)
        parts.append(layout(node) if node is not None else "")
    return parts


@layout.register(ast.Name)
def name_layout(node):
    return Layout(node.id)


@layout.register(ast.Constant)
def constant_layout(node):
    return Layout(repr(node.value)[:WIDTH])


@layout.register(ast.Attribute)
def attribute_layout(node):
    owner = layout(node.value)
    return Layout(owner, ".", node.attr)


@layout.register(ast.Call)
def call_layout(node):
    function = layout(node.func)
    arguments = joined(node.args)
    for keyword in node.keywords:
        value = layout(keyword.value)
        arguments += [", ", Layout((keyword.arg or "**") + "=", value)]
    return Layout(function, Broken("(", arguments, ")"))


@layout.register(ast.Subscript)
def subscript_layout(node):
    owner = layout(node.value)
    index = layout(node.slice)
    return Layout(owner, "[", index, "]")


@layout.register(ast.Slice)
def slice_layout(node):
    low = layout(node.lower) if node.lower else ""
    high = layout(node.upper) if node.upper else ""
    return Layout(low, ":", high)


@layout.register(ast.BinOp)
def binary_layout(node):
    left = layout(node.left)
    right = layout(node.right)
    if isinstance(node.op, ast.Mod):
        return Layout(left, " % ", right)
    if isinstance(node.op, ast.Add):
        return Layout(left, " + ", right)
    return Layout("(", left, " %s " % type(node.op).__name__, right, ")")


@layout.register(ast.BoolOp)
def boolean_layout(node):
    if isinstance(node.op, ast.And):
        return Broken("", joined(node.values, " and "), "")
    return Broken("(", joined(node.values, " or "), ")")


@layout.register(ast.UnaryOp)
def unary_layout(node):
    operand = layout(node.operand)
    return Layout("not " if isinstance(node.op, ast.Not) else "-", operand)


@layout.register(ast.Compare)
def comparison_layout(node):
    parts = [layout(node.left)]
    for operator, value in zip(node.ops, node.comparators):
        parts.append(" %s " % type(operator).__name__.lower())
        parts.append(layout(value))
    return Layout(*parts)


@layout.register(ast.IfExp)
def choice_layout(node):
    one = layout(node.body)
    test = layout(node.test)
    other = layout(node.orelse)
    return Layout(one, " if ", test, " else ", other)


@layout.register(ast.Tuple)
def tuple_layout(node):
    return Broken("(", joined(node.elts), ",)" if len(node.elts) == 1 else ")")


@layout.register(ast.List)
def list_layout(node):
    return Broken("[", joined(node.elts), "]")


@layout.register(ast.Dict)
def dict_layout(node):
    pairs = []
    for key, value in zip(node.keys, node.values):
        name = layout(key) if key else "**"
        pairs.append(Layout(name, ": ", layout(value), ", "))
    return Broken("{", pairs, "}")


@layout.register(ast.ListComp)
@layout.register(ast.SetComp)
@layout.register(ast.GeneratorExp)
def comprehension_layout(node):
    parts = [layout(node.elt)]
    for generator in node.generators:
        target = layout(generator.target)
        parts.append(Layout(" for ", target, " in ", layout(generator.iter)))
        parts += [Layout(" if ", layout(test)) for test in generator.ifs]
    return Broken("[", parts, "]")


@layout.register(ast.Lambda)
def lambda_layout(node):
    body = layout(node.body)
    return Layout("lambda ", ", ".join([argument.arg for argument in node.args.args]), ": ", body)


@layout.register(ast.Starred)
def starred_layout(node):
    return Layout("*", layout(node.value))


@layout.register(ast.Await)
@layout.register(ast.Yield)
def waiting_layout(node):
    return Layout("yield ", layout(node.value)) if node.value else Layout("yield")


class Formatter:
    """Statements: each gets its lines, with the lines of the blocks inside it below."""

    def __init__(self):
        self.indent = 0

    def block(self, header, statements):
        lines = Lines(self.indent, header)
        self.indent += 4
        for statement in statements:
            method = getattr(self, type(statement).__name__.lower(), None)
            if method is None:
                self.simple(lines, statement)
            else:
                method(lines, statement)
        self.indent -= 4
        return lines

    def simple(self, lines, statement):
        parts = []
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                parts.append(layout(child))
        lines.add(Layout(type(statement).__name__.lower(), " ", *parts))

    def assign(self, lines, statement):
        value = layout(statement.value)
        targets = joined(statement.targets, " = ")
        lines.add(Layout(*targets, " = ", value))

    def expr(self, lines, statement):
        lines.add(layout(statement.value))

    def functiondef(self, lines, statement):
        for decorator in statement.decorator_list:
            lines.add(Layout("@", layout(decorator)))
        defaults = joined(statement.args.defaults)
        header = Broken("def %s(" % statement.name, [argument.arg + ", " for argument in statement.args.args], "):")
        lines.nested.append(defaults)
        lines.nested.append(self.block(header, statement.body))

    def classdef(self, lines, statement):
        bases = joined(statement.bases)
        lines.nested.append(self.block(Broken("class %s(" % statement.name, bases, "):"), statement.body))

    def _if(self, lines, statement):
        test = layout(statement.test)
        lines.nested.append(self.block(Layout("if ", test, ":"), statement.body))
        if statement.orelse:
            lines.nested.append(self.block(Layout("else:"), statement.orelse))

    def _for(self, lines, statement):
        target = layout(statement.target)
        iterated = layout(statement.iter)
        lines.nested.append(self.block(Layout("for ", target, " in ", iterated, ":"), statement.body))

    def _while(self, lines, statement):
        test = layout(statement.test)
        lines.nested.append(self.block(Layout("while ", test, ":"), statement.body))

    def _with(self, lines, statement):
        items = joined([item.context_expr for item in statement.items])
        lines.nested.append(self.block(Layout("with ", *items), statement.body))

    def _try(self, lines, statement):
        lines.nested.append(self.block(Layout("try:"), statement.body))
        for handler in statement.handlers:
            caught = layout(handler.type) if handler.type else ""
            lines.nested.append(self.block(Layout("except ", caught), handler.body))
        if statement.finalbody:
            lines.nested.append(self.block(Layout("finally:"), statement.finalbody))

    def _return(self, lines, statement):
        value = layout(statement.value) if statement.value else ""
        lines.add(Layout("return ", value))


for keyword in ("if", "for", "while", "with", "try", "return"):
    setattr(Formatter, keyword, getattr(Formatter, "_" + keyword))


def inputs(dice):
    return shuffled_sources(dice)


def units(files, dice):
    for name, tree in syntax_trees(files):
        yield Formatter().block(Layout("# ", name), tree.body)
