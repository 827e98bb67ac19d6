"""A mail archive: builds nested messages, parses them again with the modern policy, which reads every header by recursion."""

import email
import email.message
import email.policy

from workloads.documents import text

HOSTS = ("example.com", "mail.example.org", "[192.0.2.7]", "sub.department.example.net")


def address(dice):
    kind = dice.random()
    box = "%s.%s@%s" % (*text(dice, 2).split(), dice.choice(HOSTS))
    if kind < 0.3:
        return box
    if kind < 0.6:
        return '"%s, %s" <%s>' % (*text(dice, 2).split(), box)
    if kind < 0.8:
        return "%s (%s) <%s>" % (text(dice, 2), text(dice, 1), box)
    return "%s: %s, %s;" % (text(dice, 1), box, "x@example.com")


def raw_message(dice, depth):
    headers = [
        "From: x <x@example.com>",
        "To: " + ",\r\n ".join(address(dice) for _ in range(dice.randint(1, 5))),
        "Subject: " + dice.choice((text(dice, 5), "=?utf-8?q?Gr=C3=BC=C3=9Fe_%d?= %s" % (dice.randint(1, 99), text(dice, 2)))),
        "Date: Tue, %02d May 2024 10:%02d:00 +0200" % (dice.randint(1, 28), dice.randint(0, 59)),
        "MIME-Version: 1.0",
    ]
    if dice.random() < 0.5:
        headers.append("Cc: " + address(dice))
    if dice.random() < 0.4:
        headers.append("Message-ID: <%d@example.com>" % dice.randint(1, 10 ** 9))
    if depth == 0 or dice.random() < 0.2:
        headers.append('Content-Type: text/plain; charset="utf-8"; format=%s' % dice.choice(("flowed", "fixed")))
        return "\r\n".join(headers) + "\r\n\r\n" + text(dice, 40)
    boundary = "b%d" % dice.randint(1, 10 ** 9)
    headers.append('Content-Type: multipart/mixed; boundary="%s"' % boundary)
    parts = []
    for _ in range(dice.randint(1, 3)):
        parts.append("--%s\r\nContent-Type: message/rfc822\r\n\r\n%s\r\n" % (boundary, raw_message(dice, depth - 1)))
        parts.append(
            '--%s\r\nContent-Type: application/json; name="%s.json"\r\n' % (boundary, text(dice, 1))
            + "Content-Disposition: attachment;\r\n filename=%s\r\n\r\n{}\r\n" % text(dice, 1))
    return "\r\n".join(headers) + "\r\n\r\n" + "".join(parts) + "--%s--\r\n" % boundary


def inputs(dice):
    return [raw_message(dice, dice.randint(0, 2)) for _ in range(60)]


def units(messages, dice):
    while True:
        message = email.message_from_string(dice.choice(messages), policy=email.policy.default)
        yield message, [[part[name] for name in part.keys()] for part in message.walk()]
