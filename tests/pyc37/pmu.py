"""PyPI's pyc37 as a PMU: a TCP server that sends so many DATA once its client has turned them on.

Usage: pmu.py ADDRESS PORT IDCODE RATE FRAMES
"""

import collections.abc  # pyc37 uses it without importing it
import logging
import signal
import sys
import threading

from pyc37.pmu import Pmu


def main():
    address, port, idcode, rate, frames = sys.argv[1], *map(int, sys.argv[2:6])
    # Its log goes to standard output, which is to say one thing only.
    logging.disable(logging.CRITICAL)
    pmu = Pmu(pmu_id=idcode, ip=address, port=port, data_rate=rate)
    pmu.set_configuration()
    pmu.set_header("pyc37")
    pmu.run()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print("listening", flush=True)
    # A client's buffer is there from the connection on, and its DATA wait in it until CMD 2.
    while not pmu.client_buffers and not ended.wait(0.01):
        pass
    for _ in range(frames):
        pmu.send(pmu.ieee_data_sample)
    ended.wait()
    pmu.stop()


main()
