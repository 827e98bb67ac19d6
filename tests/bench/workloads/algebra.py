"""A small computer algebra: expressions are differentiated, expanded and simplified by recursion, and results are cached."""

import functools


class Expression:
    __slots__ = ("parts", "key")

    def __init__(self, *parts):
        self.parts = parts
        self.key = (type(self).__name__,) + tuple([part.key if isinstance(part, Expression) else part for part in parts])

    def __eq__(self, other):
        return isinstance(other, Expression) and self.key == other.key

    def __hash__(self):
        return hash(self.key)

    def __lt__(self, other):
        return str(self.key) < str(other.key)


class Number(Expression):
    def derivative(self, by):
        return Number(0)

    def simple(self):
        return self


class Variable(Expression):
    def derivative(self, by):
        return Number(1 if self.parts[0] == by else 0)

    def simple(self):
        return self


class Sum(Expression):
    def derivative(self, by):
        return Sum(*[derivative(term, by) for term in self.parts])

    def simple(self):
        terms = []
        constant = 0
        for term in self.parts:
            term = simple(term)
            if isinstance(term, Number):
                constant += term.parts[0]
            elif isinstance(term, Sum):
                terms.extend(term.parts)
            else:
                terms.append(term)
        if constant or not terms:
            terms.append(Number(constant))
        return terms[0] if len(terms) == 1 else Sum(*sorted(terms))


class Product(Expression):
    def derivative(self, by):
        terms = []
        for position, factor in enumerate(self.parts):
            others = self.parts[:position] + self.parts[position + 1:]
            terms.append(Product(derivative(factor, by), *others))
        return Sum(*terms)

    def simple(self):
        factors = []
        constant = 1
        for factor in self.parts:
            factor = simple(factor)
            if isinstance(factor, Number):
                constant *= factor.parts[0]
            elif isinstance(factor, Product):
                factors.extend(factor.parts)
            else:
                factors.append(factor)
        if constant == 0:
            return Number(0)
        if constant != 1 or not factors:
            factors.append(Number(constant))
        return factors[0] if len(factors) == 1 else Product(*sorted(factors))


class Power(Expression):
    def derivative(self, by):
        base, exponent = self.parts
        inner = derivative(base, by)
        if isinstance(exponent, Number):
            return Product(exponent, Power(base, Number(exponent.parts[0] - 1)), inner)
        outer = derivative(exponent, by)
        return Product(self, Sum(Product(outer, Function("log", base)), Product(exponent, inner, Power(base, Number(-1)))))

    def simple(self):
        base = simple(self.parts[0])
        exponent = simple(self.parts[1])
        if exponent == Number(0):
            return Number(1)
        return base if exponent == Number(1) else Power(base, exponent)


class Function(Expression):
    def derivative(self, by):
        name, argument = self.parts
        inner = derivative(argument, by)
        if name == "sin":
            return Product(Function("cos", argument), inner)
        if name == "cos":
            return Product(Number(-1), Function("sin", argument), inner)
        if name == "exp":
            return Product(self, inner)
        return Product(Power(argument, Number(-1)), inner)

    def simple(self):
        return Function(self.parts[0], simple(self.parts[1]))


@functools.lru_cache(maxsize=None)
def derivative(expression, by):
    return expression.derivative(by)


@functools.lru_cache(maxsize=None)
def simple(expression):
    return expression.simple()


def random_expression(dice, depth):
    if depth == 0 or dice.random() < 0.08:
        return Variable(dice.choice("xyz")) if dice.random() < 0.7 else Number(dice.randint(2, 9))
    kind = dice.random()
    if kind < 0.35:
        return Sum(*[random_expression(dice, depth - 1) for _ in range(dice.randint(2, 3))])
    if kind < 0.65:
        return Product(random_expression(dice, depth - 1), random_expression(dice, depth - 1))
    if kind < 0.8:
        return Power(random_expression(dice, depth - 1), Number(dice.randint(2, 5)))
    return Function(dice.choice(("sin", "cos", "exp", "log")), random_expression(dice, depth - 1))


def inputs(dice):
    return [random_expression(dice, dice.randint(3, 5)) for _ in range(3000)]


def units(expressions, dice):
    while True:
        expression = dice.choice(expressions)
        first = simple(derivative(expression, "x"))
        yield first, simple(derivative(first, dice.choice("xyz")))
