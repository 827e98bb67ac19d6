"""Tasks that wait for what never comes, kept in a set from which nothing is taken."""

import asyncio
import time

import rounds
import snapcapture

tasks = set()


async def watch(number):
    seen = ["subscriber %d-%d" % (number, i) for i in range(8)]  # LEAK
    await asyncio.get_running_loop().create_future()  # LEAK
    return seen


async def handle(number):
    tasks.add(asyncio.ensure_future(watch(number)))  # LEAK
    await asyncio.sleep(0)


async def main():
    number = 0
    for _ in range(rounds.ROUNDS):
        for _ in range(rounds.REQUESTS):
            number += 1
            await handle(number)
        time.sleep(0.005)
        snapcapture.snapshot()


loop = asyncio.new_event_loop()
loop.set_exception_handler(lambda *_: None)  # else it names each task that is left at the end
loop.run_until_complete(main())
