"""JSON: documents of some hundred fields, written and read again."""

import json


def document(number):
    return {
        "id": number,
        "tags": ["tag-%d" % (number * n % 97) for n in range(10)],
        "rows": [{"name": "row %d" % n, "price": n * 1.25, "stock": n * number} for n in range(30)],
    }


def main():
    kept = []
    for number in range(16000):
        text = json.dumps(document(number))
        read = json.loads(text)
        if number % 100 == 0:
            kept.append(read)
    assert len(kept) == 160


main()
