"""A compiler's middle: lowers the standard library's syntax trees to control-flow graphs of instructions, folding constants."""

import ast

from workloads.sources import shuffled_sources, syntax_trees


class Instruction:
    __slots__ = ("operation", "operands", "result")

    def __init__(self, operation, operands, result):
        self.operation = operation
        self.operands = operands
        self.result = result


class Value:
    __slots__ = ("name", "defined_by", "used_by")

    def __init__(self, name, defined_by=None):
        self.name = name
        self.defined_by = defined_by
        self.used_by = []


class Literal(Value):
    __slots__ = ("constant",)

    def __init__(self, constant):
        super().__init__(repr(constant)[:40])
        self.constant = constant


class BasicBlock:
    def __init__(self, label):
        self.label = label
        self.instructions = []
        self.successors = []

    def jump(self, other):
        self.successors.append(other)
        return other


class Unit:
    """A function, class body or module."""

    def __init__(self, name, outer):
        self.name = name
        self.outer = outer
        self.blocks = []
        self.variables = {}
        self.units = []
        self.current = self.new_block("entry")

    def new_block(self, label):
        block = BasicBlock("%s.%s%d" % (self.name, label, len(self.blocks)))
        self.blocks.append(block)
        return block

    def emit(self, operation, *operands):
        result = Value("%s_%d" % (operation, len(self.current.instructions)))
        result.defined_by = Instruction(operation, operands, result)
        self.current.instructions.append(result.defined_by)
        for operand in operands:
            if isinstance(operand, Value):
                operand.used_by.append(result)
        return result


class Compiler:
    def __init__(self, name):
        self.unit = Unit(name, None)

    def body(self, statements):
        for statement in statements:
            lower = getattr(self, "lower_" + type(statement).__name__, None)
            if lower is not None:
                lower(statement)
            else:
                self.lower_other(statement)

    def value(self, expression):
        lower = getattr(self, "value_" + type(expression).__name__, None)
        if lower is not None:
            return lower(expression)
        return self.unit.emit(type(expression).__name__.lower(), *self.values(ast.iter_child_nodes(expression)))

    def values(self, expressions):
        return [self.value(expression) for expression in expressions if isinstance(expression, ast.expr)]

    def branch(self, test, body, otherwise, label):
        condition = self.value(test)
        before = self.unit.current
        before.instructions.append(Instruction("branch", (condition,), None))
        self.unit.current = before.jump(self.unit.new_block(label))
        self.body(body)
        after = self.unit.current.jump(self.unit.new_block("after"))
        if otherwise:
            self.unit.current = before.jump(self.unit.new_block("else"))
            self.body(otherwise)
            self.unit.current.jump(after)
        else:
            before.jump(after)
        self.unit.current = after
        return before

    def inner(self, name, statements, parameters):
        unit = Unit(name, self.unit)
        self.unit.units.append(unit)
        self.unit = unit
        for parameter in parameters:
            unit.variables[parameter.arg] = Value(parameter.arg)
        self.body(statements)
        self.unit = unit.outer
        return unit

    def lower_FunctionDef(self, node):
        defaults = self.values(node.args.defaults)
        wrappers = self.values(node.decorator_list)
        unit = self.inner(node.name, node.body, node.args.args)
        function = self.unit.emit("function", unit, *defaults)
        for wrapper in wrappers:
            function = self.unit.emit("call", wrapper, function)
        self.unit.variables[node.name] = function

    lower_AsyncFunctionDef = lower_FunctionDef

    def lower_ClassDef(self, node):
        bases = self.values(node.bases)
        unit = self.inner(node.name, node.body, ())
        self.unit.variables[node.name] = self.unit.emit("class", unit, *bases)

    def lower_If(self, node):
        self.branch(node.test, node.body, node.orelse, "then")

    def lower_While(self, node):
        before = self.branch(node.test, node.body, node.orelse, "loop")
        self.unit.current.jump(before)

    def lower_For(self, node):
        iterator = self.unit.emit("iterate", self.value(node.iter))
        head = self.unit.current.jump(self.unit.new_block("for"))
        self.unit.current = head
        self.store(node.target, self.unit.emit("next", iterator))
        self.body(node.body)
        self.unit.current.jump(head)
        self.unit.current = head.jump(self.unit.new_block("done"))
        self.body(node.orelse)

    def lower_With(self, node):
        entered = []
        for item in node.items:
            manager = self.value(item.context_expr)
            entered.append(manager)
            if item.optional_vars is not None:
                self.store(item.optional_vars, self.unit.emit("enter", manager))
        self.body(node.body)
        for manager in entered:
            self.unit.emit("exit", manager)

    def lower_Try(self, node):
        before = self.unit.current
        self.body(node.body)
        after = self.unit.current.jump(self.unit.new_block("tried"))
        for handler in node.handlers:
            self.unit.current = before.jump(self.unit.new_block("except"))
            if handler.type is not None:
                self.unit.emit("catch", self.value(handler.type))
            self.body(handler.body)
            self.unit.current.jump(after)
        self.unit.current = after
        self.body(node.finalbody)

    def lower_Assign(self, node):
        value = self.value(node.value)
        for target in node.targets:
            self.store(target, value)

    def lower_AugAssign(self, node):
        value = self.value(node.value)
        self.store(node.target, self.unit.emit(type(node.op).__name__, value))

    def lower_Return(self, node):
        if node.value is not None:
            self.unit.emit("return", self.value(node.value))

    def lower_Raise(self, node):
        if node.exc is not None:
            self.unit.emit("raise", self.value(node.exc))

    def lower_Expr(self, node):
        self.value(node.value)

    def lower_other(self, node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)

    def store(self, target, value):
        if isinstance(target, ast.Name):
            self.unit.variables[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for position, part in enumerate(target.elts):
                self.store(part, self.unit.emit("unpack", value, position))
        elif isinstance(target, ast.Attribute):
            self.unit.emit("setattr", self.value(target.value), target.attr, value)
        elif isinstance(target, ast.Subscript):
            self.unit.emit("setitem", self.value(target.value), self.value(target.slice), value)

    def value_Constant(self, node):
        return Literal(node.value)

    def value_Name(self, node):
        unit = self.unit
        while unit is not None:
            if node.id in unit.variables:
                return unit.variables[node.id]
            unit = unit.outer
        return self.unit.emit("global", node.id)

    def value_Attribute(self, node):
        return self.unit.emit("getattr", self.value(node.value), node.attr)

    def value_Call(self, node):
        function = self.value(node.func)
        arguments = self.values(node.args)
        for keyword in node.keywords:
            arguments.append(self.unit.emit("keyword", keyword.arg, self.value(keyword.value)))
        return self.unit.emit("call", function, *arguments)

    def value_BinOp(self, node):
        left = self.value(node.left)
        right = self.value(node.right)
        if isinstance(left, Literal) and isinstance(right, Literal) and isinstance(node.op, ast.Add):
            try:
                return Literal(left.constant + right.constant)
            except TypeError:
                pass
        return self.unit.emit(type(node.op).__name__.lower(), left, right)

    def value_BoolOp(self, node):
        result = self.value(node.values[0])
        for operand in node.values[1:]:
            before = self.unit.current
            self.unit.current = before.jump(self.unit.new_block("rest"))
            result = self.unit.emit("either", result, self.value(operand))
            before.jump(self.unit.current)
        return result

    def value_UnaryOp(self, node):
        return self.unit.emit(type(node.op).__name__.lower(), self.value(node.operand))

    def value_Compare(self, node):
        result = self.value(node.left)
        for operator, other in zip(node.ops, node.comparators):
            result = self.unit.emit(type(operator).__name__.lower(), result, self.value(other))
        return result

    def value_IfExp(self, node):
        condition = self.value(node.test)
        one = self.value(node.body)
        return self.unit.emit("select", condition, one, self.value(node.orelse))

    def value_Subscript(self, node):
        return self.unit.emit("getitem", self.value(node.value), self.value(node.slice))

    def value_Dict(self, node):
        keys = self.values(node.keys)
        return self.unit.emit("dict", *keys, *self.values(node.values))

    def value_ListComp(self, node):
        for generator in node.generators:
            self.store(generator.target, self.unit.emit("next", self.value(generator.iter)))
            self.values(generator.ifs)
        return self.unit.emit("append", self.value(node.elt))

    value_GeneratorExp = value_SetComp = value_ListComp

    def value_Lambda(self, node):
        unit = self.inner("<lambda>", (), node.args.args)
        return self.unit.emit("function", unit, self.value(node.body))


def inputs(dice):
    return shuffled_sources(dice)


def units(files, dice):
    for name, tree in syntax_trees(files):
        compiler = Compiler(name)
        compiler.body(tree.body)
        yield compiler.unit
