#!/usr/bin/env python3
"""A cluster of three brokers that speak Kafka's protocol, out of librdkafka, which tests itself with it.

Prints their addresses; then takes commands, a line each, and answers each with "ok":
down N, up N (a broker), leader PARTITION N. Topics are made by who asks for them. What was written stays in memory.
"""

import ctypes
import sys

TOPIC = b"falco.alerts"
library = ctypes.CDLL("librdkafka.so.1")
library.rd_kafka_new.restype = ctypes.c_void_p
library.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
library.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
library.rd_kafka_mock_partition_set_leader.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]
library.rd_kafka_mock_broker_set_down.argtypes = [ctypes.c_void_p, ctypes.c_int32]
library.rd_kafka_mock_broker_set_up.argtypes = [ctypes.c_void_p, ctypes.c_int32]

error = ctypes.create_string_buffer(512)
handle = library.rd_kafka_new(0, None, error, len(error))
if not handle:
    sys.exit(error.value.decode())
cluster = library.rd_kafka_mock_cluster_new(handle, 3)
if library.rd_kafka_mock_topic_create(cluster, TOPIC, 4, 3) != 0:
    sys.exit("no topic")
print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
for line in sys.stdin:
    word, *numbers = line.split()
    numbers = [int(number) for number in numbers]
    if word == "leader":
        failed = library.rd_kafka_mock_partition_set_leader(cluster, TOPIC, *numbers)
    elif word == "down":
        failed = library.rd_kafka_mock_broker_set_down(cluster, *numbers)
    else:
        failed = library.rd_kafka_mock_broker_set_up(cluster, *numbers)
    print(f"error {failed}" if failed else "ok", flush=True)
