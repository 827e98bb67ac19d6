"""Rows are gathered and written in batches."""

import rounds

batch = []


def handle(number):
    batch.append({"number": number, "name": "row %d" % number, "cells": list(range(number, number + 10))})
    if len(batch) == 170:
        batch.clear()


rounds.serve(handle)
