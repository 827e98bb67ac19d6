"""A page of a web application without a framework: query, rows of a database, template, headers."""

import html
import sqlite3
import string
import urllib.parse

ROW = string.Template("<tr><td>$name</td><td>$price</td></tr>")
PAGE = string.Template("<html><head><title>$title</title></head><body><table>$rows</table></body></html>")


def page(database, query):
    wanted = urllib.parse.parse_qs(query)
    rows = database.execute("SELECT name, price FROM article WHERE price > ? LIMIT 25", wanted["over"]).fetchall()
    table = "".join(ROW.substitute(name=html.escape(name), price="%.2f" % price) for name, price in rows)
    body = PAGE.substitute(title=html.escape(wanted["title"][0]), rows=table).encode()
    headers = {"Content-Length": str(len(body)), "Content-Type": "text/html; charset=utf-8"}
    return headers, body


def main():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE article (name TEXT, price REAL)")
    database.executemany("INSERT INTO article VALUES (?, ?)", (("article <%d>" % n, n / 3) for n in range(1000)))
    sessions = {}
    for number in range(10000):
        headers, body = page(database, "title=List+%d&over=%d" % (number, number % 200))
        sessions[number % 500] = (headers, body)
    assert len(sessions) == 500


main()
