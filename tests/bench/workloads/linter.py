"""A linter with type inference: parses the standard library and keeps, as such tools do, a tree of scopes, uses and types."""

import ast

from workloads.sources import shuffled_sources, syntax_trees


class Scope:
    def __init__(self, kind, name, parent):
        self.kind = kind
        self.name = name
        self.parent = parent
        self.bindings = {}
        self.uses = []
        self.messages = []

    def lookup(self, name):
        scope = self
        while scope is not None:
            if name in scope.bindings:
                return scope.bindings[name]
            scope = scope.parent
        return None


class Type:
    """What is known of a value; `text` is what a message or an editor shows for it."""

    __slots__ = ("kind", "line", "parts", "text")

    def __init__(self, kind, line, parts=(), text=""):
        self.kind = kind
        self.line = line
        self.parts = parts
        self.text = text


def shown(types, limit=160):
    return ", ".join([type_.text for type_ in types if type_ is not None])[:limit]


class Binding:
    __slots__ = ("name", "line", "type", "uses")

    def __init__(self, name, line, type_):
        self.name = name
        self.line = line
        self.type = type_
        self.uses = []


class Linter(ast.NodeVisitor):
    """visit() returns the inferred Type of an expression, None for a statement."""

    def __init__(self, name):
        self.module = self.scope = Scope("module", name, None)
        self.scopes = [self.module]

    def bind(self, name, node, type_):
        self.scope.bindings[name] = Binding(name, node.lineno, type_)

    def push(self, kind, name):
        self.scope = Scope(kind, name, self.scope)
        self.scopes.append(self.scope)

    def pop(self):
        self.scope = self.scope.parent

    def block(self, statements):
        for statement in statements:
            self.visit(statement)

    def each(self, expressions):
        return [self.visit(expression) for expression in expressions if expression is not None]

    def visit_FunctionDef(self, node):
        decorators = self.each(node.decorator_list)
        defaults = self.each(node.args.defaults)
        keyword_defaults = self.each(node.args.kw_defaults)
        self.bind(node.name, node, Type("function", node.lineno, (decorators, defaults, keyword_defaults)))
        self.push("function", node.name)
        self.visit(node.args)
        if node.returns:
            self.bind("return", node, self.visit(node.returns))
        self.block(node.body)
        self.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arguments(self, node):
        for argument in node.args:
            self.bind(argument.arg, argument, self.visit(argument.annotation) if argument.annotation else None)
        for argument in node.kwonlyargs:
            self.bind(argument.arg, argument, self.visit(argument.annotation) if argument.annotation else None)
        for argument in (node.vararg, node.kwarg):
            if argument:
                self.bind(argument.arg, argument, Type("packed", argument.lineno))

    def visit_Lambda(self, node):
        self.push("lambda", "<lambda>")
        self.visit(node.args)
        result = self.visit(node.body)
        self.pop()
        return Type("lambda", node.lineno, (result,), "() -> " + shown([result]))

    def visit_ClassDef(self, node):
        bases = self.each(node.bases)
        keywords = [(keyword.arg, self.visit(keyword.value)) for keyword in node.keywords]
        decorators = self.each(node.decorator_list)
        self.bind(node.name, node, Type("class", node.lineno, (bases, keywords, decorators)))
        self.push("class", node.name)
        self.block(node.body)
        self.pop()

    def visit_If(self, node):
        self.condition(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def visit_While(self, node):
        self.condition(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def condition(self, test):
        found = self.visit(test)
        if found is not None and found.kind == "constant":
            self.scope.messages.append("line %d: condition never changes" % found.line)

    def visit_For(self, node):
        iterated = self.visit(node.iter)
        self.assign(node.target, Type("item", node.lineno, (iterated,)))
        self.block(node.body)
        self.block(node.orelse)

    visit_AsyncFor = visit_For

    def visit_With(self, node):
        for item in node.items:
            context = self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, Type("entered", node.lineno, (context,)))
        self.block(node.body)

    visit_AsyncWith = visit_With

    def visit_Try(self, node):
        self.block(node.body)
        for handler in node.handlers:
            self.visit(handler)
        self.block(node.orelse)
        self.block(node.finalbody)

    def visit_ExceptHandler(self, node):
        caught = self.visit(node.type) if node.type else None
        if node.name:
            self.bind(node.name, node, Type("instance", node.lineno, (caught,)))
        self.block(node.body)

    def visit_Assign(self, node):
        value = self.visit(node.value)
        for target in node.targets:
            self.assign(target, value)

    def visit_AnnAssign(self, node):
        annotation = self.visit(node.annotation)
        value = self.visit(node.value) if node.value else None
        self.assign(node.target, Type("declared", node.lineno, (annotation, value)))

    def visit_AugAssign(self, node):
        value = self.visit(node.value)
        self.assign(node.target, Type("combined", node.lineno, (value, self.operator(node.op))))

    def visit_NamedExpr(self, node):
        value = self.visit(node.value)
        self.assign(node.target, value)
        return value

    def assign(self, target, value):
        if isinstance(target, ast.Name):
            self.bind(target.id, target, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for position, part in enumerate(target.elts):
                self.assign(part, Type("part %d" % position, target.lineno, (value,)))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, Type("rest", target.lineno, (value,)))
        else:
            place = self.visit(target)
            self.scope.uses.append((place, value))

    def visit_Return(self, node):
        if node.value is not None:
            self.bind("return", node, self.visit(node.value))

    def visit_Raise(self, node):
        if node.exc is not None:
            raised = self.visit(node.exc)
            cause = self.visit(node.cause) if node.cause else None
            self.scope.uses.append((raised, cause))

    def visit_Assert(self, node):
        self.condition(node.test)
        if node.msg is not None:
            self.visit(node.msg)

    def visit_Delete(self, node):
        for target in node.targets:
            self.visit(target)

    def visit_Expr(self, node):
        found = self.visit(node.value)
        if found is not None and found.kind in ("compared", "name"):
            self.scope.messages.append("line %d: statement has no effect" % found.line)

    def visit_Import(self, node):
        for alias in node.names:
            self.bind(alias.asname or alias.name.partition(".")[0], node, Type("module", node.lineno, (), alias.name))

    def visit_ImportFrom(self, node):
        for alias in node.names:
            self.bind(alias.asname or alias.name, node, Type("from", node.lineno, (), "%s.%s" % (node.module, alias.name)))

    def operator(self, node):
        return type(node).__name__

    def visit_BoolOp(self, node):
        choices = [self.visit(value) for value in node.values]
        return Type("choice", node.lineno, tuple(choices), "Union[%s]" % shown(choices))

    def visit_BinOp(self, node):
        left = self.visit(node.left)
        right = self.visit(node.right)
        operator = self.operator(node.op)
        return Type("combined", node.lineno, (left, operator, right), "%s(%s)" % (operator, shown([left, right])))

    def visit_UnaryOp(self, node):
        operand = self.visit(node.operand)
        return Type("changed", node.lineno, (operand,), self.operator(node.op) + " " + shown([operand]))

    def visit_Compare(self, node):
        left = self.visit(node.left)
        others = [(self.operator(op), self.visit(other)) for op, other in zip(node.ops, node.comparators)]
        return Type("compared", node.lineno, (left, others), "bool from " + shown([left]))

    def visit_IfExp(self, node):
        self.condition(node.test)
        one = self.visit(node.body)
        other = self.visit(node.orelse)
        return Type("choice", node.lineno, (one, other), "Union[%s]" % shown([one, other]))

    def visit_Call(self, node):
        called = self.visit(node.func)
        arguments = [self.visit(argument) for argument in node.args]
        keywords = {keyword.arg: self.visit(keyword.value) for keyword in node.keywords}
        text = "%s(%s)" % (shown([called]), shown(arguments))
        return Type("result", node.lineno, (called, arguments, keywords) if keywords else (called, arguments), text)

    def visit_Attribute(self, node):
        owner = self.visit(node.value)
        return Type("attribute", node.lineno, (owner, node.attr), shown([owner]) + "." + node.attr)

    def visit_Subscript(self, node):
        owner = self.visit(node.value)
        index = self.visit(node.slice)
        return Type("entry", node.lineno, (owner, index), "%s[%s]" % (shown([owner]), shown([index])))

    def visit_Index(self, node):
        return self.visit(node.value)

    def visit_Slice(self, node):
        ends = [self.visit(end) for end in (node.lower, node.upper, node.step) if end is not None]
        return Type("slice", 0, ends, shown(ends))

    def visit_Starred(self, node):
        return Type("unpacked", node.lineno, (self.visit(node.value),))

    def visit_Tuple(self, node):
        elements = [self.visit(element) for element in node.elts]
        return Type("tuple", node.lineno, tuple(elements), "Tuple[%s]" % shown(elements))

    def visit_List(self, node):
        elements = [self.visit(element) for element in node.elts]
        return Type("list", node.lineno, elements, "List[%s]" % shown(elements))

    def visit_Set(self, node):
        return Type("set", node.lineno, self.each(node.elts))

    def visit_Dict(self, node):
        keys = self.each(node.keys)
        values = [self.visit(value) for value in node.values]
        return Type("dict", node.lineno, (keys, values), "Dict[%s; %s]" % (shown(keys), shown(values)))

    def visit_ListComp(self, node):
        self.push("comprehension", "<list>")
        self.generators(node.generators)
        element = self.visit(node.elt)
        self.pop()
        return Type("list", node.lineno, (element,), "List[%s]" % shown([element]))

    visit_SetComp = visit_GeneratorExp = visit_ListComp

    def visit_DictComp(self, node):
        self.push("comprehension", "<dict>")
        self.generators(node.generators)
        key = self.visit(node.key)
        value = self.visit(node.value)
        self.pop()
        return Type("dict", node.lineno, (key, value), "Dict[%s]" % shown([key, value]))

    def generators(self, generators):
        for generator in generators:
            self.assign(generator.target, Type("item", generator.target.lineno, (self.visit(generator.iter),)))
            for test in generator.ifs:
                self.condition(test)

    def visit_JoinedStr(self, node):
        return Type("text", node.lineno, self.each(node.values))

    def visit_FormattedValue(self, node):
        value = self.visit(node.value)
        layout = self.visit(node.format_spec) if node.format_spec else None
        return Type("formatted", node.lineno, (value, layout))

    def visit_Yield(self, node):
        if node.value is not None:
            self.bind("yield", node, self.visit(node.value))
        return Type("sent", node.lineno)

    def visit_Await(self, node):
        value = self.visit(node.value) if node.value else None
        return Type("awaited", node.lineno, (value,), "await " + shown([value]))

    visit_YieldFrom = visit_Await

    def visit_Constant(self, node):
        return Type("constant", node.lineno, (type(node.value).__name__,), repr(node.value)[:80])

    def visit_Name(self, node):
        binding = self.scope.lookup(node.id)
        if binding is None:
            return Type("unknown", node.lineno, (node.id,), node.id + "?")
        binding.uses.append(node.lineno)
        return Type("name", node.lineno, (binding,), binding.name)


def inputs(dice):
    return shuffled_sources(dice)


def units(files, dice):
    for name, tree in syntax_trees(files):
        linter = Linter(name)
        for statement in tree.body:
            linter.visit(statement)
        yield linter.scopes
