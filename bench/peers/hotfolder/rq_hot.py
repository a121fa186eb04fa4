#!/usr/bin/python3
"""incron + RQ: `enqueue SOCKET PATH` is what incron starts; `work SOCKET` is the worker."""
import logging
import os
import sys

import redis
import rq

import rq_hot  # the worker imports the job's function by this name


def finish(path):
    folder, name = os.path.split(path)
    os.rename(path, os.path.join(folder, "..", "done", name))


def main():
    connection = redis.Redis(unix_socket_path=sys.argv[2])
    queue = rq.Queue("hot", connection=connection)
    if sys.argv[1] == "enqueue":
        queue.enqueue(rq_hot.finish, sys.argv[3], result_ttl=0)
        return
    logging.disable(logging.CRITICAL)
    worker = rq.SimpleWorker([queue], connection=connection)
    print("ready", flush=True)
    worker.work(logging_level="CRITICAL")


if __name__ == "__main__":
    main()
