#!/usr/bin/env python3
"""The minimal script that people write: OpenCV's resize, the interpreter, paho-mqtt's publish.

It takes turns as a contestant of the bench (see edged/bench), beside the daemon, in
scripts/bench_frame.py; it knows nothing else of edged.

    scripts/bench_naive.py MODEL FRAMES.npy --port N --topic T [--qos N] [--threads N]
"""

import argparse
import json
import sys
import time

import cv2
import numpy as np
import paho.mqtt.client as mqtt
from ai_edge_litert.interpreter import Interpreter

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("frames", help="n x H x W x 3, uint8, BGR as OpenCV's cameras give them")
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--topic", required=True)
parser.add_argument("--qos", type=int, default=0)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()

cv2.setNumThreads(1)
frames = np.load(options.frames)
interpreter = Interpreter(options.model, num_threads=options.threads)
interpreter.allocate_tensors()
[given] = interpreter.get_input_details()
_, height, width, _ = given["shape"]
boxes, classes, scores, count = (each["index"] for each in interpreter.get_output_details())
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", options.port)
client.loop_start()


def one_frame(frame):
    """Milliseconds by stage."""
    began = time.monotonic()
    small = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    interpreter.set_tensor(given["index"], np.expand_dims(small, 0))
    filled = time.monotonic()
    interpreter.invoke()
    invoked = time.monotonic()
    found = [
        {"class": int(label), "score": float(score), "box": box.tolist()}
        for box, label, score in zip(
            interpreter.get_tensor(boxes)[0],
            interpreter.get_tensor(classes)[0],
            interpreter.get_tensor(scores)[0],
            strict=True,
        )
        if score >= 0.5
    ][: int(interpreter.get_tensor(count)[0])]
    decoded = time.monotonic()
    client.publish(
        options.topic, json.dumps({"time": time.time(), "detections": found}), options.qos
    )
    ended = time.monotonic()
    return {
        "preprocess": (filled - began) * 1e3,
        "inference": (invoked - filled) * 1e3,
        "decode": (decoded - invoked) * 1e3,
        "publish": (ended - decoded) * 1e3,
        "ended": ended * 1e3,
    }


one_frame(frames[0])
for line in sys.stdin:
    done = [one_frame(frames[number % len(frames)]) for number in range(int(line))]
    print(json.dumps({stage: [each[stage] for each in done] for stage in done[0]}), flush=True)
time.sleep(0.2)
client.disconnect()
print(json.dumps({"starts_again": True}))
