#!/usr/bin/env python3
"""Makes the benchmark's series: the shop of testdata/demo in a process that has imported the standard library, steady but
for the shop's leak, dumped again and again while it serves requests."""

import argparse
import itertools
import json
import os
import random
import sys
import tracemalloc

HERE = os.path.dirname(os.path.abspath(__file__))


def messages(dice):
    """The lines that the demo's customers would send, without the socket."""
    import traffic

    for method, path, headers, body in traffic.visits(dice, traffic.articles_on_offer()):
        yield json.dumps({"method": method, "path": path, "headers": headers, "body": body}).encode("utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=100000, help="live blocks when the requests begin, about")
    parser.add_argument("--frames", type=int, default=10, help="frames that tracemalloc keeps")
    parser.add_argument("--snapshots", type=int, default=20)
    parser.add_argument("--requests", type=int, default=60, help="requests between two snapshots")
    parser.add_argument("--out", required=True, metavar="PREFIX", help="makes PREFIX01.pickle, PREFIX02.pickle, ...")
    options = parser.parse_args()
    sys.path.insert(1, os.path.normpath(os.path.join(HERE, os.pardir, os.pardir, "testdata", "demo")))
    dice = random.Random(5)
    warm_up = 20 * options.requests
    count = warm_up + options.snapshots * options.requests
    # Made before tracing starts: customers are not part of the service.
    stream = iter(list(itertools.islice(messages(dice), count)))
    before = sys.getallocatedblocks()

    tracemalloc.start(options.frames)
    from shop import handlers, routing
    from workloads import imports

    def serve(raw):
        request = routing.Request(raw)
        handlers.router.answer(request)
        handlers.access_log.write(request, 200)

    kept = []
    for module in imports.units(imports.inputs(dice), dice):
        kept.append(module)
        if sys.getallocatedblocks() - before >= options.blocks:
            break
    # Caches are full, and the leak has found its pace, before the first snapshot is taken.
    for raw in itertools.islice(stream, warm_up):
        serve(raw)
    for number in range(1, options.snapshots + 1):
        for raw in itertools.islice(stream, options.requests):
            serve(raw)
        path = "%s%02d.pickle" % (options.out, number)
        tracemalloc.take_snapshot().dump(path + ".part")
        os.replace(path + ".part", path)
    print("%s01..%02d.pickle: %d blocks at the end" % (options.out, options.snapshots, sys.getallocatedblocks() - before))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
