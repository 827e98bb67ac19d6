"""A thread for every tenth request, which waits for an end that is never told."""

import threading

import rounds

end = threading.Event()
local = threading.local()


def follow(number):
    local.seen = ["event %d-%d" % (number, i) for i in range(100)]  # LEAK
    end.wait()


def handle(number):
    if number % 10 == 0:
        thread = threading.Thread(target=follow, args=(number,), daemon=True)  # LEAK
        thread.start()  # LEAK


rounds.serve(handle)
