"""Rows of `ray microbenchmark` as Ray itself defines them, in shorter rounds, and some that it lacks.

Ray's suite is run as it stands; only the function that times a row is replaced, so that rows can be
chosen one by one, take less time, and end up in a JSON document.
"""

import argparse
import json
import platform
import statistics
import time

import numpy as np
import ray
from ray._private import ray_perf

parser = argparse.ArgumentParser()
parser.add_argument("--report", required=True)
parser.add_argument("--warmup", type=float, default=0.5)
parser.add_argument("--seconds", type=float, default=1.0)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("rows", nargs="*", help="exact names; all when there is none")
arguments = parser.parse_args()

START = "start of rayw run to first task"
found = []


def is_wanted(name):
    return not arguments.rows or name in arguments.rows


def tell(name, unit, samples):
    print(f"{name} {unit} {statistics.mean(samples):.2f} +- {statistics.pstdev(samples):.2f}", flush=True)
    found.append({"name": name, "unit": unit, "samples": samples})


def timeit(name, turn, multiplier=1, warmup_time_sec=0):
    """As Ray's: a warm-up, then rounds in steps of a tenth of its turns."""
    if not is_wanted(name):
        return [None]
    started, turns = time.perf_counter(), 0
    while turns == 0 or time.perf_counter() - started < arguments.warmup:
        turn()
        turns += 1
    step = turns // 10 + 1
    samples = []
    # A turn of many seconds needs no second one to be told from noise.
    rounds = 1 if time.perf_counter() - started > 10 else arguments.rounds
    for _ in range(rounds):
        started, turns = time.perf_counter(), 0
        while time.perf_counter() - started < arguments.seconds:
            for _ in range(step):
                turn()
            turns += step
        samples.append(multiplier * turns / (time.perf_counter() - started))
    tell(name, "per second", samples)
    return [None]


def seconds(name, prepare, work):
    """How long one piece of work takes; what it needs is made before."""
    if not is_wanted(name):
        return
    samples = []
    for turn in range(arguments.rounds + 1):
        prepared = prepare()
        started = time.perf_counter()
        work(prepared)
        if turn > 0:
            samples.append(time.perf_counter() - started)
    tell(name, "seconds", samples)


@ray.remote
def small_value():
    return b"ok"


@ray.remote(num_cpus=0)
class Actor:
    def small_value(self):
        return b"ok"


@ray.remote
def count(*values):
    return len(values)


@ray.remote(num_returns=3000)
def many_returns():
    return [1] * 3000


def start():
    samples = []
    for _ in range(arguments.rounds):
        started = time.perf_counter()
        ray.init()
        ray.get(small_value.remote())
        samples.append(time.perf_counter() - started)
        ray.shutdown()
    tell(START, "seconds", samples)


def created():
    actors = [Actor.remote() for _ in range(8)]
    ray.get([actor.small_value.remote() for actor in actors])


def main():
    if is_wanted(START):
        start()
    ray_perf.timeit = timeit
    # Ray Client is a second protocol, which rayw does not have.
    ray_perf.client_microbenchmark_main = lambda results: None
    ray_perf.main()
    ray.init()
    hundred_mebibytes = np.full(100 << 20, 7, dtype=np.uint8)
    timeit("single client put gigabytes of 100 MiB values", lambda: ray.put(hundred_mebibytes), (100 << 20) / 1e9)
    timeit("actors created and ready", created, 8)
    objects = lambda: [ray.put(1) for _ in range(10_000)]
    seconds("10000 args to one task", objects, lambda refs: ray.get(count.remote(*refs)))
    seconds("3000 returns of one task", lambda: None, lambda _: ray.get(many_returns.remote()))
    seconds("get of 10000 objects", objects, ray.get)
    ray.shutdown()
    with open(arguments.report, "w") as report:
        json.dump({"ray": ray.__version__, "python": platform.python_version(), "rows": found}, report)


main()
