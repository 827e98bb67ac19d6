"""A small object-relational layer with models, relations, an identity map and query objects, and a shop's data in it."""

from workloads.documents import text


class Field:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, row, owner):
        return self if row is None else row.state.values.get(self.name)

    def __set__(self, row, value):
        row.state.change(self, value)

    def __eq__(self, value):
        return Condition(self, "=", value)

    def __gt__(self, value):
        return Condition(self, ">", value)

    __hash__ = object.__hash__

    def checked(self, value):
        return value


class Text(Field):
    def checked(self, value):
        return str(value).strip()


class Number(Field):
    def checked(self, value):
        return int(value) if value is not None else None


class Money(Number):
    def checked(self, value):
        return round(super().checked(value) * 1.0, 2)


class Many(Field):
    """A list of rows of another model, loaded when it is first looked at."""

    def __init__(self, target):
        self.target = target

    def __get__(self, row, owner):
        if row is None:
            return self
        if self.name not in row.state.relations:
            row.state.relations[self.name] = row.state.session.load_many(row, self)
        return row.state.relations[self.name]


class One(Many):
    pass


class State:
    __slots__ = ("session", "values", "history", "relations")

    def __init__(self, session):
        self.session = session
        self.values = {}
        self.history = []
        self.relations = {}

    def change(self, field, value):
        value = field.checked(value)
        if field.name in self.values:
            self.history.append((field.name, self.values[field.name]))
        self.values[field.name] = value


class Condition:
    def __init__(self, field, sign, value):
        self.field = field
        self.sign = sign
        self.value = value

    def sql(self):
        return "%s %s ?" % (self.field.name, self.sign), [self.value]

    def __and__(self, other):
        return Both(self, other)

    def __or__(self, other):
        return Either(self, other)


class Both(Condition):
    def __init__(self, one, other):
        self.one = one
        self.other = other

    def sql(self):
        one, one_values = self.one.sql()
        other, other_values = self.other.sql()
        return "(%s and %s)" % (one, other), one_values + other_values


class Either(Both):
    def sql(self):
        one, one_values = self.one.sql()
        other, other_values = self.other.sql()
        return "(%s or %s)" % (one, other), one_values + other_values


class Model:
    models = {}

    def __init_subclass__(cls):
        cls.models[cls.__name__] = cls
        cls.fields = [field for field in vars(cls).values() if isinstance(field, Field)]

    def __init__(self, session, key, **values):
        self.state = State(session)
        self.key = key
        for name, value in values.items():
            setattr(self, name, value)
        session.identities[type(self).__name__, key] = self


class Customer(Model):
    name = Text()
    street = Text()
    credit = Money()
    orders = Many("Order")


class Order(Model):
    number = Number()
    remark = Text()
    lines = Many("Line")
    customer = One("Customer")


class Line(Model):
    pieces = Number()
    price = Money()
    article = One("Article")


class Article(Model):
    name = Text()
    price = Money()
    suppliers = Many("Supplier")


class Supplier(Model):
    name = Text()
    town = Text()
    articles = Many("Article")


class Session:
    def __init__(self, dice, depth):
        self.dice = dice
        self.depth = depth
        self.loading = 0
        self.identities = {}
        self.statements = []

    def load_many(self, row, relation):
        model = Model.models[relation.target]
        count = 1 if isinstance(relation, One) else self.dice.randint(1, 4)
        return [self.load(model, self.dice.randrange(100000)) for _ in range(count)]

    def load(self, model, key):
        found = self.identities.get((model.__name__, key))
        if found is None:
            found = model(self, key, **self.row(model))
            if self.loading < self.depth:
                self.loading += 1
                self.follow(found)
                self.loading -= 1
        return found

    def row(self, model):
        values = {}
        for field in model.fields:
            if isinstance(field, Number):
                values[field.name] = self.dice.randint(300, 90000)
            elif isinstance(field, Text):
                values[field.name] = text(self.dice, self.dice.randint(1, 4))
        return values

    def follow(self, row):
        """Eager loading, as a page needs it."""
        if isinstance(row, Customer):
            for order in row.orders:
                order.remark = text(self.dice, 2)
        elif isinstance(row, Order):
            self.total(row)
        elif isinstance(row, Line):
            row.price = row.article[0].price
        elif isinstance(row, Article):
            row.state.history.append([supplier.town for supplier in row.suppliers])
        elif isinstance(row, Supplier):
            row.town = ", ".join(article.name for article in row.articles)

    def total(self, order):
        prices = []
        for line in order.lines:
            prices.append((line.pieces, line.price))
        order.number = sum(pieces * price for pieces, price in prices)

    def find(self, model):
        condition = model.fields[0] == text(self.dice, 1)
        for _ in range(self.dice.randint(1, 6)):
            other = self.dice.choice(model.fields) > self.dice.randint(1, 1000)
            condition = condition & other if self.dice.random() < 0.5 else other | condition
        self.statements.append((model, condition, condition.sql()))
        return self.load(model, self.dice.randrange(100000))


def inputs(dice):
    return None


def units(_, dice):
    while True:
        session = Session(dice, dice.randint(2, 4))
        for model in (Customer, Order, Article, Supplier):
            session.find(model)
        yield session
