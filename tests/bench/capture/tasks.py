"""asyncio: short tasks, queues and futures."""

import asyncio


async def work(queue, number):
    await asyncio.sleep(0)
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, {"number": number, "payload": [number] * 10})
    await queue.put(await future)


async def serve(rounds):
    queue = asyncio.Queue()
    total = 0
    for number in range(rounds):
        await asyncio.gather(*(work(queue, number * 20 + n) for n in range(20)))
        while not queue.empty():
            total += len((await queue.get())["payload"])
    assert total == rounds * 200


asyncio.run(serve(3000))
