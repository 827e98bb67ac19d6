"""A pool of threads that grows to its limit in the first rounds."""

import concurrent.futures

import rounds

pool = concurrent.futures.ThreadPoolExecutor(max_workers=6)


def work(number):
    return sum(range(number % 100)), ["part %d" % i for i in range(20)]


def handle(number):
    return [future.result() for future in [pool.submit(work, number + i) for i in range(4)]]


rounds.serve(handle)
pool.shutdown()
