"""A logger and a handler for each request; logging keeps both for ever."""

import io
import logging

import rounds


def logger_of(number):
    logger = logging.getLogger("request.%d" % number)  # LEAK
    logger.addHandler(logging.StreamHandler(io.StringIO()))  # LEAK
    logger.propagate = False
    return logger


def handle(number):
    logger_of(number).warning("request %d", number)


rounds.serve(handle)
