"""Synthetic series with known leaks: what leaks, what only looks like it, and what is noise.

A series is made from a seed and a number of snapshots alone. Curves are first made without noise; those say what
is a leak, and which of the others cannot be told from one inside the window ("grey": neither hit nor miss)."""

import bisect
import itertools
import math
import random

MIB = 1 << 20
STDLIB = "/usr/lib/python3.11/"
SITE = "/usr/lib/python3.11/site-packages/"
LEAVES = (
    f"{STDLIB}json/decoder.py:353",
    f"{STDLIB}json/encoder.py:258",
    f"{STDLIB}collections/__init__.py:1104",
    f"{STDLIB}copy.py:146",
    f"{STDLIB}functools.py:58",
    f"{STDLIB}re/_compiler.py:759",
    f"{SITE}sqlalchemy/engine/result.py:391",
    f"{SITE}sqlalchemy/orm/loading.py:220",
    f"{SITE}requests/models.py:641",
    f"{SITE}jinja2/environment.py:1301",
)
MIDDLE = (
    f"{SITE}starlette/routing.py:288",
    f"{SITE}starlette/middleware/errors.py:164",
    f"{SITE}sqlalchemy/orm/query.py:2823",
    f"{STDLIB}threading.py:975",
    f"{STDLIB}concurrent/futures/thread.py:58",
)
LEAKS = (
    "constant",
    "constant",
    "small",
    "slow",
    "load",
    "fragmented",
    "accelerating",
    "late",
    "container",
    "subtree",
    "wrapper",
    "warm-up",
    "bursty",
    "noisy",
    "sawtooth",
)
DISTRACTORS = (
    "warm-up",
    "lru",
    "zipf",
    "sawtooth",
    "diurnal",
    "reload",
    "sessions",
    "imports",
    "queue",
    "pool",
    "inflight",
)


class Row:
    """A stack: `leak` of its bytes without noise leak, the rest is `other`."""

    def __init__(self, frames, size):
        self.frames = frames  # newest first
        self.size = size  # mean bytes of a block
        self.other = None
        self.leak = None
        self.noise = 0.0
        self.leak_number = None
        self.grey = False
        self.sizes_vary = False
        self.kind = None


class Series:
    def __init__(self, seed, count, shifted=False):
        self.dice = random.Random(f"{seed}/{count}/{shifted}")
        self.count = count
        self.shifted = shifted
        self.rows = []
        self.leaks = []  # {"kind", "guilty", "rows", "growth"}
        self.names = itertools.count(1)
        self.kind = "background"
        self.make_clock()
        self.make_program()
        self.make_background()
        for _ in range(self.dice.randint(4, 9) * (3 if shifted else 2) // 2):
            kind = self.dice.choice(DISTRACTORS)
            self.kind = kind
            getattr(self, "distract_" + kind.replace("-", "_"))()
        self.kind = "leak"
        heap = sum(row.other[0] for row in self.rows)
        for _ in range(self.dice.choice((0, 1, 2, 2, 3, 3))):
            self.add_leak(self.dice.choice(LEAKS), heap)
        self.heap = heap
        self.add_noise()

    # The clock: even intervals, and how much work there was.

    def make_clock(self):
        dice = self.dice
        self.interval = dice.choice((60, 300, 600, 3600))
        self.even = dice.random() < 0.5
        phase, depth = dice.random() * 6.28, dice.uniform(0.3, 0.8)
        cycles = dice.uniform(0.5, 3)
        self.rate = [
            1.0
            if self.even
            else max(0.05, 1 + depth * math.sin(phase + 6.28 * cycles * i / self.count) + dice.gauss(0, 0.05))
            for i in range(self.count)
        ]
        if self.even:
            self.rate = [max(0.5, dice.gauss(1, 0.03)) for _ in self.rate]
        self.done = list(itertools.accumulate(self.rate))
        self.done = [x - self.done[0] for x in self.done]
        self.requests = dice.randint(200, 20000)
        self.has_counter = dice.random() < 0.7
        self.u = [i / (self.count - 1) for i in range(self.count)]
        self.work = [x / self.done[-1] for x in self.done]

    # The program: a tree of calls.

    def frame(self, file=None):
        return f"/srv/app/{file or 'mod%d.py' % self.dice.randint(1, 60)}:{10 + next(self.names)}"

    def make_program(self):
        dice = self.dice
        self.root = ["/srv/app/main.py:26"]
        self.handlers = []
        for _ in range(dice.randint(8, 20)):
            middle = dice.sample(MIDDLE, dice.randint(0, 3))
            self.handlers.append([self.frame("handlers.py"), *middle, *self.root])
        self.helpers = [self.frame("util.py") for _ in range(5)]

    def path(self, own=None, leaf=None):
        """A stack down to `own` frames (newest first) below a handler."""
        dice = self.dice
        if own is None:
            own = [self.frame() for _ in range(dice.randint(1, 4))]
        leaves = dice.sample(LEAVES, dice.choice((0, 0, 1, 2))) if leaf is None else leaf
        return [*leaves, *own, *dice.choice(self.handlers)]

    def add(self, frames, size, other, leak=None, noise=0.0):
        row = Row(tuple(frames), size)
        row.other = other
        row.leak = leak or [0.0] * self.count
        row.noise = noise
        row.kind = self.kind
        row.sizes_vary = self.dice.random() < 0.3
        self.rows.append(row)
        return row

    def block_size(self):
        return int(math.exp(self.dice.uniform(math.log(40), math.log(4000))))

    def make_background(self):
        dice = self.dice
        total = math.exp(dice.uniform(math.log(15), math.log(200))) * MIB
        weights = [dice.lognormvariate(0, 2) for _ in range(dice.randint(250, 500))]
        self.total = total
        for weight in weights:
            bytes_ = total * weight / sum(weights)
            kind = dice.random()
            if kind < 0.7:
                curve, noise = [bytes_] * self.count, 0.0
            elif kind < 0.9:
                curve, noise = [bytes_] * self.count, dice.uniform(0.01, 0.2)
            else:
                curve, noise = [bytes_ * rate * 0.3 for rate in self.rate], dice.uniform(0.05, 0.4)
            self.add(self.path(), self.block_size(), curve, noise=noise)

    # What looks like a leak and is none. The part of the heap it takes is log-uniform.

    def amount(self, low=0.005, high=0.15):
        return self.total * math.exp(self.dice.uniform(math.log(low), math.log(high)))

    def spread(self, curve, noise=0.0, rows=None, grey=False):
        """A curve over one or some rows below a common line."""
        dice = self.dice
        common = [self.frame(), self.frame()]
        parts = [dice.lognormvariate(0, 0.7) for _ in range(rows or dice.randint(1, 5))]
        for part in parts:
            share = part / sum(parts)
            own = common if len(parts) == 1 else [self.frame(), *common]
            row = self.add(self.path(own), self.block_size(), [share * y for y in curve], noise=noise)
            row.grey = grey

    def is_grey(self, curve):
        """It still grows at the end as fast as on the whole, so nothing tells it from a leak."""
        n = self.count
        growth = curve[-1] - curve[0]
        late = curve[-1] - curve[-1 - max(1, n // 5)]
        return growth > 0 and late >= 0.5 * growth * max(1, n // 5) / (n - 1)

    def distract_warm_up(self):
        full, a = self.amount(), self.dice.uniform(0.02, 0.3)
        curve = [full * (1 - math.exp(-(u + 0.01) / a)) for u in self.work]
        self.spread(curve, 0.01, grey=self.is_grey(curve))

    def distract_lru(self):
        full, at = self.amount(), self.dice.uniform(0.05, 1.2)
        curve = [full * min(1, (u + 0.02) / at) for u in self.work]
        self.spread(curve, 0.01, grey=at > 0.8)

    def distract_zipf(self):
        full, a = self.amount(), self.dice.uniform(0.005, 0.15)
        curve = [full * math.log1p((u + 0.005) / a) / math.log1p(1 / a) for u in self.work]
        self.spread(curve, 0.01, grey=self.is_grey(curve))

    def distract_sawtooth(self):
        full, period, phase = self.amount(), self.dice.uniform(0.08, 0.6), self.dice.random()
        curve = [full * (0.1 + ((u / period + phase) % 1)) for u in self.u]
        drops = sum(b < a for a, b in zip(curve, curve[1:]))
        self.spread(curve, 0.02, grey=drops == 0)

    def distract_diurnal(self):
        full = self.amount()
        curve = [full * (0.3 + 0.5 * rate) for rate in self.rate]
        self.spread(curve, 0.03, grey=not self.has_counter and self.is_grey(curve))

    def distract_reload(self):
        full, steps = self.amount(), sorted(self.dice.random() for _ in range(self.dice.randint(1, 3)))
        curve = [full * (0.5 + bisect.bisect(steps, u) / 3) for u in self.u]
        self.spread(curve, 0.005)

    def distract_sessions(self):
        full, life = self.amount(), self.dice.uniform(0.03, 0.3)
        held, curve = 1.0 if self.dice.random() < 0.5 else 0.0, []
        keep = math.exp(-1 / (self.count * life))
        for rate in self.rate:
            held = held * keep + rate * (1 - keep)
            curve.append(full * held)
        self.spread(curve, 0.02, grey=self.is_grey(curve))

    def distract_imports(self):
        at = self.dice.uniform(0.02, 0.5)
        common = [self.frame()]
        for _ in range(self.dice.randint(5, 20)):
            full, when = self.amount(0.0005, 0.01), at + self.dice.uniform(0, 0.1)
            frames = [f"{STDLIB}mod{next(self.names)}.py:{self.dice.randint(1, 90)}", "<frozen importlib._bootstrap>:241"]
            self.add(self.path(common, leaf=frames), self.block_size(), [full if u >= when else 0.0 for u in self.u])

    def distract_queue(self):
        full, level, curve = self.amount(), 0.5, []
        for _ in range(self.count):
            curve.append(full * level)
            level = min(1.5, max(0.02, level + self.dice.gauss(0, 0.8 / math.sqrt(self.count))))
        self.spread(curve, 0.01)

    def distract_pool(self):
        full, high, curve = self.amount(), 0.0, []
        for rate in self.rate:
            high = max(high, rate * self.dice.lognormvariate(0, 0.25))
            curve.append(full * high / 2)
        self.spread(curve, 0.0)

    def distract_inflight(self):
        full = self.amount()
        self.spread([full * 0.5 * rate for rate in self.rate], self.dice.uniform(0.1, 0.5))

    # Leaks.

    def leak_curve(self, kind):
        """From 0 to 1 in the window, without noise."""
        dice, u, work = self.dice, self.u, self.work
        if kind in ("late", "accelerating"):
            start = dice.uniform(0.2, 0.6)
            power = dice.uniform(1.7, 2.5)
            if kind == "late":
                return [max(0.0, x - start) / (1 - start) for x in work]
            return [x**power for x in work]
        if kind == "bursty":
            steps = sorted(dice.random() for _ in range(max(5, self.count)))
            curve = [bisect.bisect(steps, x) for x in u]
            return [(y - curve[0]) / max(1, curve[-1] - curve[0]) for y in curve]
        if kind == "load" or dice.random() < 0.6:
            return list(work)
        return list(u)

    def add_leak(self, kind, heap):
        dice = self.dice
        growth = heap * math.exp(dice.uniform(math.log(0.01), math.log(0.3)))
        if kind == "small":
            growth = heap * dice.uniform(0.003, 0.01)
        if kind == "slow":
            growth = heap * 0.001 * (self.count - 1)
        if self.shifted:
            growth *= dice.uniform(0.3, 1)
        base = [growth * y for y in self.leak_curve(kind)]
        flat, number, rows = [0.0] * self.count, len(self.leaks), []
        guilty = self.frame("leaky.py")

        def add(frames, share=1.0, other=flat, noise=0.0, size=None):
            row = self.add(frames, size or self.block_size(), other, [share * y for y in base], noise)
            row.leak_number = number
            rows.append(row)

        if kind == "fragmented":
            parts = [dice.lognormvariate(0, 0.5) for _ in range(dice.randint(25, 60))]
            handler = dice.choice(self.handlers)
            for part in parts:
                own = [self.frame() for _ in range(dice.randint(1, 2))]
                leaf = dice.sample(LEAVES, dice.choice((0, 1)))
                add([*leaf, *own, guilty, *handler], part / sum(parts))
        elif kind == "subtree":
            parts = [dice.lognormvariate(0, 0.8) for _ in range(dice.randint(4, 10))]
            handler = dice.choice(self.handlers)
            for part in parts:
                add([*dice.sample(LEAVES, dice.choice((0, 1))), self.frame(), guilty, *handler], part / sum(parts))
        elif kind == "wrapper":
            helper = dice.choice(self.helpers)
            for _ in range(dice.randint(3, 8)):
                self.add(self.path([helper, self.frame()]), self.block_size(), [self.amount(0.001, 0.02)] * self.count)
            add(self.path([helper, guilty]))
        elif kind == "noisy":
            level = growth * dice.uniform(0.5, 3)
            add(self.path([guilty]), other=[level] * self.count, noise=dice.uniform(0.05, 0.15))
        elif kind == "sawtooth":
            period, level = dice.uniform(0.1, 0.4), growth * dice.uniform(0.3, 1.2)
            add(self.path([guilty]), other=[level * ((x / period) % 1) for x in self.u])
        elif kind == "warm-up":
            # More would be most of the row's growth, and then no entry with this row could be right.
            level, a = growth * dice.uniform(0.2, 0.9), dice.uniform(0.02, 0.15)
            add(self.path([guilty]), other=[level * (1 - math.exp(-x / a)) for x in self.u])
        elif kind == "container":
            own = [guilty]
            frames = self.path(own)
            add(frames, 0.6)
            table = [growth * 0.4 * (2 ** math.ceil(math.log2(max(y / growth, 1e-3)))) for y in base]
            row = self.add(frames, self.block_size(), flat, table)
            row.leak_number = number
            row.sizes_vary = True
            rows.append(row)
        else:
            count = dice.choice((1, 1, 1, 2, 3))
            own = [guilty]
            for _ in range(count):
                add(self.path(own, leaf=dice.sample(LEAVES, dice.choice((0, 1, 2)))), 1 / count)
        total = sum(row.leak[-1] - row.leak[0] for row in rows)
        self.leaks.append({"kind": kind, "guilty": guilty, "rows": rows, "growth": total})

    def add_noise(self):
        """Fills row.blocks and row.bytes: whole blocks, objects of many sizes, and noise that lasts."""
        dice = self.dice
        varied = 1.8 if self.shifted else 0.8
        for row in self.rows:
            row.blocks, row.bytes = [], []
            drift = 0.0
            for other, leak in zip(row.other, row.leak):
                drift = 0.5 * drift + dice.gauss(0, 0.866)
                clean = max(0.0, other * (1 + row.noise * drift)) + leak
                blocks = max(0, round(clean / row.size))
                # Sizes are drawn once for each block and stay with it: the mean moves as a random walk does.
                row.blocks.append(blocks)
                row.bytes.append(blocks * row.size)
            if row.sizes_vary:
                offset = 0.0
                for i in range(self.count):
                    new = abs(row.blocks[i] - (row.blocks[i - 1] if i else 0))
                    offset += dice.gauss(0, varied * math.sqrt(new)) * row.size
                    row.bytes[i] = max(row.blocks[i], int(row.bytes[i] + offset)) if row.blocks[i] else 0
        for leak in self.leaks:
            leak["detectable"] = self.is_detectable(leak)

    def is_detectable(self, leak):
        """Growth of six deviations of what a line through the curve of its rows leaves, and 0.5 % of the heap."""
        y = [sum(row.bytes[i] for row in leak["rows"]) for i in range(self.count)]
        noise = [y[i] - sum(row.leak[i] for row in leak["rows"]) for i in range(self.count)]
        mean = sum(noise) / len(noise)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in noise) / len(noise))
        return leak["growth"] >= 6 * deviation and leak["growth"] >= 0.005 * self.heap

    def lines(self, order=None):
        """What write_series reads; `order` shuffles the snapshots under their clocks."""
        for row in self.rows:
            yield "stack " + " ".join(row.frames)
        for i in range(self.count):
            seconds = i * self.interval
            day, clock = divmod(seconds, 86400)
            stamp = f"2026-01-{1 + day:02}T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}Z"
            meta = f"snapshot time={stamp} pid=1 host=bench"
            if self.has_counter:
                meta += f" iteration={int(self.done[i] * self.requests)}"
            yield meta
            source = order[i] if order else i
            for number, row in enumerate(self.rows):
                blocks, total = row.blocks[source], row.bytes[source]
                if blocks > 0:
                    size, more = divmod(total, blocks)
                    if blocks > more:
                        yield f"{number} {blocks - more} {size}"
                    if more:
                        yield f"{number} {more} {size + 1}"
