#!/usr/bin/python3
"""RQ: SimpleWorker, which does not fork for each job (its faster one); results are not kept."""
import json
import logging
import os
import sys
import time

import redis
import rq

import rq_peer  # the worker imports the job's function by this name

MODE = sys.argv[1]
waits = []
began = time.monotonic()
jobs = 1000


def payload():
    at = f"{time.monotonic() * 1000:.3f}"
    return {"at": at, "data": "x" * (200 - 19 - len(at))}


def run(value):
    self = rq_peer
    self.waits.append(time.monotonic() * 1000 - float(value["at"]))
    if len(self.waits) < self.jobs:
        return
    warm = sorted(self.waits[len(self.waits) // 10:])
    print(json.dumps({"per_s": self.jobs / (time.monotonic() - self.began),
                      "p50_ms": warm[int(0.5 * (len(warm) - 1))],
                      "p99_ms": warm[int(0.99 * (len(warm) - 1))]}), flush=True)
    os._exit(0)


def main():
    if MODE == "version":
        print(f"RQ {rq.VERSION}, Python {sys.version.split()[0]}")
        return
    settings = {"jobs": 1000, "rate": 50}
    settings.update((k, int(v)) for k, v in (word.split("=") for word in sys.argv[3:]))
    rq_peer.jobs = settings["jobs"]
    connection = redis.Redis(unix_socket_path=sys.argv[2])
    queue = rq.Queue("bench", connection=connection)
    rq_peer.began = time.monotonic()
    if MODE == "fill":
        left = settings["jobs"]
        while left > 0:
            n = min(left, 1000)
            queue.enqueue_many([rq.Queue.prepare_data(rq_peer.run, (payload(),), result_ttl=0)
                                for _ in range(n)])
            left -= n
        print(json.dumps({"per_s": settings["jobs"] / (time.monotonic() - rq_peer.began)}))
    elif MODE == "produce":
        for i in range(settings["jobs"]):
            time.sleep(max(0, rq_peer.began + i / settings["rate"] - time.monotonic()))
            queue.enqueue(rq_peer.run, payload(), result_ttl=0)
    else:
        logging.disable(logging.CRITICAL)
        worker = rq.SimpleWorker([queue], connection=connection)
        if MODE == "consume":
            print("ready", flush=True)
        worker.work(logging_level="CRITICAL")


if __name__ == "__main__":
    main()
