"""Numbers in lists and dictionaries: floats, tuples and growing containers."""


def simulate(particles, steps):
    state = [(float(n), float(n % 7), 1.0 / (n + 1)) for n in range(particles)]
    seen = {}
    for step in range(steps):
        state = [(x + v * 0.01, v - x * 0.01, m) for x, v, m in state]
        seen[step % 50] = {n: state[n][0] for n in range(0, particles, 3)}
    return len(state), len(seen)


assert simulate(3000, 2000) == (3000, 50)
