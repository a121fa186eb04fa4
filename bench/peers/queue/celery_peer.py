#!/usr/bin/python3
"""Celery on Redis: 8 threads, late acknowledgement, results ignored."""
import json
import os
import sys
import threading
import time

import celery

MODE = sys.argv[1]
SETTINGS = {"jobs": 1000, "rate": 50}
SETTINGS.update((k, int(v)) for k, v in (word.split("=") for word in sys.argv[3:]))
app = celery.Celery("bench")
if MODE != "version":
    app.conf.broker_url = "redis+socket://" + sys.argv[2]
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=8,
                worker_redirect_stdouts=False)
lock = threading.Lock()
waits = []
began = time.monotonic()


def payload():
    at = f"{time.monotonic() * 1000:.3f}"
    return {"at": at, "data": "x" * (200 - 19 - len(at))}


@app.task(name="bench.run")
def run(value):
    with lock:
        waits.append(time.monotonic() * 1000 - float(value["at"]))
        if len(waits) < SETTINGS["jobs"]:
            return
        warm = sorted(waits[len(waits) // 10:])
        print(json.dumps({"per_s": len(waits) / (time.monotonic() - began),
                          "p50_ms": warm[int(0.5 * (len(warm) - 1))],
                          "p99_ms": warm[int(0.99 * (len(warm) - 1))]}), flush=True)
        os._exit(0)


@celery.signals.worker_ready.connect
def on_ready(**_):
    global began
    began = time.monotonic()
    if MODE == "consume":
        print("ready", flush=True)


def main():
    if MODE == "version":
        print(f"Celery {celery.__version__.split()[0]}, Python {sys.version.split()[0]}")
    elif MODE == "fill":
        with app.producer_pool.acquire() as producer:
            start = time.monotonic()
            for _ in range(SETTINGS["jobs"]):
                run.apply_async((payload(),), producer=producer)
        print(json.dumps({"per_s": SETTINGS["jobs"] / (time.monotonic() - start)}))
    elif MODE == "produce":
        for i in range(SETTINGS["jobs"]):
            time.sleep(max(0, began + i / SETTINGS["rate"] - time.monotonic()))
            run.apply_async((payload(),))
    else:
        app.worker_main(["--quiet", "worker", "--pool=threads", "--concurrency=8",
                         "--loglevel=critical", "--without-gossip", "--without-mingle",
                         "--without-heartbeat"])


if __name__ == "__main__":
    main()
