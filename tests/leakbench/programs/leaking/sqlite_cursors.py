"""A cursor for each request, with the rows it has fetched, never closed."""

import sqlite3

import rounds

database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE article (id INTEGER PRIMARY KEY, name TEXT)")
database.executemany("INSERT INTO article VALUES (?, ?)", [(i, "article %d" % i) for i in range(50)])
history = []


def find(first):
    cursor = database.cursor()
    rows = cursor.execute("SELECT id, name FROM article WHERE id >= ? LIMIT 10", (first % 40,)).fetchall()  # LEAK
    history.append((cursor, rows))  # LEAK
    return rows


def handle(number):
    return len(find(number))


rounds.serve(handle)
