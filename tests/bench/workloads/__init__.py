"""Allocation-heavy programs for the benchmark, one a module. inputs(dice) is what comes from outside and is
made before tracing starts; units(inputs, dice) is an endless or finite stream of object graphs, which the caller keeps alive."""
