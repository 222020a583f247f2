"""PyPI's pyc37 as a PDC: asks a PMU over TCP for HDR and CFG-2, turns DATA on, and prints what it gets.

Usage: pdc.py ADDRESS PORT IDCODE FRAMES

One line of JSON for each frame: its kind, SOC and FRACSEC's count. Ends after so many DATA, and not before its standard
input is at its end.
"""

import collections.abc  # pyc37 uses it without importing it
import json
import logging
import sys
import threading

from pyc37.frame import DataFrame
from pyc37.pdc import Pdc


def say(kind, frame):
    soc, fraction = frame.get_soc(), frame.get_frasec()
    fraction = fraction[0] if isinstance(fraction, tuple) else fraction
    print(json.dumps({"kind": kind, "soc": soc, "fraction": fraction}), flush=True)


def main():
    address, port, idcode, frames = sys.argv[1], *map(int, sys.argv[2:5])
    logging.disable(logging.CRITICAL)
    pdc = Pdc(pdc_id=idcode, pmu_ip=address, pmu_port=port)
    pdc.run()
    say("header", pdc.get_header())
    say("config", pdc.get_config())
    pdc.start()
    told = threading.Thread(target=sys.stdin.read, daemon=True)
    told.start()
    count = 0
    while count < frames or told.is_alive():
        frame = pdc.get()
        if isinstance(frame, DataFrame):
            say("data", frame)
            count += 1
        else:
            print(json.dumps({"kind": type(frame).__name__}), flush=True)
    pdc.stop()
    pdc.quit()


main()
