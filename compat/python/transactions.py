"""Transactions with librdkafka, through confluent-kafka: one scenario after the other, and a line for each.

transactions.py BOOTSTRAP        "ok NAME", or "FAILED NAME: why"
"""
import re
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = sys.argv[1]
PARTITIONS = 3
LIMIT_S = 30


def begin(transactional_id, **settings):
    producer = Producer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "transactional.id": transactional_id,
            "linger.ms": 0,
            **{key.replace("_", "."): value for key, value in settings.items()},
        }
    )
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    return producer


def send(producer, topic, count, first=0):
    for i in range(first, first + count):
        producer.produce(topic, key=f"key {i}", value=f"value {i}", partition=i % PARTITIONS)


def consumer(group, isolation="read_committed"):
    return Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )


def read(topic, isolation="read_committed"):
    """What there is up to the end that a reader of this isolation level sees."""
    reader = consumer("nobody", isolation)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    values, at_end, deadline = [], set(), time.monotonic() + LIMIT_S
    while len(at_end) < PARTITIONS:
        assert time.monotonic() < deadline, f"not at the end of {topic}"
        message = reader.poll(0.2)
        if message is None:
            continue
        if message.error() is None:
            values.append(message.value().decode())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            at_end.add(message.partition())
        else:
            raise KafkaException(message.error())
    reader.close()
    return values


def expect(expected, actual, what):
    assert expected == actual, f"{what}: {actual}, not {expected}"


def refused(attempt):
    try:
        attempt()
    except KafkaException as error:
        return error.args[0]
    raise AssertionError("it was taken")


def what_is_committed_is_read(topic):
    producer = begin("rd-commits")
    send(producer, topic, 30)
    producer.flush(LIMIT_S)
    expect(0, len(read(topic)), "before the commit")
    expect(30, len(read(topic, "read_uncommitted")), "uncommitted")
    producer.commit_transaction(LIMIT_S)
    expect(30, len(read(topic)), "after the commit")


def what_is_aborted_is_passed_over(topic):
    producer = begin("rd-aborts")
    send(producer, topic, 30)
    producer.flush(LIMIT_S)
    producer.abort_transaction(LIMIT_S)
    expect(0, len(read(topic)), "committed")
    expect(30, len(read(topic, "read_uncommitted")), "all")
    producer.begin_transaction()
    send(producer, topic, 7)
    producer.commit_transaction(LIMIT_S)
    expect(7, len(read(topic)), "after the next commit")


def many_transactions_of_one_producer_every_third_aborted(topic):
    producer = begin("rd-many")
    committed = []
    for round in range(60):
        if round > 0:
            producer.begin_transaction()
        send(producer, topic, 5, first=5 * round)
        if round % 3 == 2:
            producer.abort_transaction(LIMIT_S)
        else:
            producer.commit_transaction(LIMIT_S)
            committed += [f"value {i}" for i in range(5 * round, 5 * round + 5)]
    expect(sorted(committed), sorted(read(topic)), "values")


def an_empty_transaction_is_committed_and_aborted(topic):
    producer = begin("rd-empty")
    producer.commit_transaction(LIMIT_S)
    producer.begin_transaction()
    producer.abort_transaction(LIMIT_S)
    producer.begin_transaction()
    send(producer, topic, 1)
    producer.commit_transaction(LIMIT_S)
    expect(1, len(read(topic)), "records")


def a_second_producer_of_an_id_fences_the_first(topic):
    first = begin("rd-fenced")
    send(first, topic, 5)
    first.flush(LIMIT_S)
    second = begin("rd-fenced")
    send(second, topic, 4)
    second.commit_transaction(LIMIT_S)
    error = refused(lambda: first.commit_transaction(LIMIT_S))
    assert error.fatal() and error.code() == KafkaError._FENCED, f"{error}"
    expect(4, len(read(topic)), "records of the second alone")


def a_transaction_that_takes_too_long_is_aborted(topic):
    producer = begin("rd-late", transaction_timeout_ms=1000)
    send(producer, topic, 5)
    producer.flush(LIMIT_S)
    time.sleep(3)
    refused(lambda: producer.commit_transaction(LIMIT_S))
    expect(0, len(read(topic)), "records")


def offsets_are_committed_with_the_transaction_and_not_before(topic):
    producer, group = begin("rd-offsets"), consumer("rd-offsets")
    partition = TopicPartition(topic, 0)
    metadata = group.consumer_group_metadata()
    send(producer, topic, 3)
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], metadata, LIMIT_S)
    producer.abort_transaction(LIMIT_S)
    expect(-1001, group.committed([partition], LIMIT_S)[0].offset, "after an abort")
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, LIMIT_S)
    producer.commit_transaction(LIMIT_S)
    expect(7, group.committed([partition], LIMIT_S)[0].offset, "after a commit")
    group.close()


def records_are_consumed_processed_and_produced_exactly_once(topic):
    target = f"{topic}-out"
    create(target)
    feeder = begin("rd-feeds")
    send(feeder, topic, 60)
    feeder.commit_transaction(LIMIT_S)
    reader, producer = consumer("rd-pipeline"), begin("rd-pipeline")
    producer.abort_transaction(LIMIT_S)
    reader.subscribe([topic])
    done, rounds, deadline = 0, 0, time.monotonic() + 2 * LIMIT_S
    while done < 60:
        assert time.monotonic() < deadline, f"{done} records are done"
        messages = [each for each in reader.consume(20, 0.3) if each.error() is None]
        if not messages:
            continue
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, key=message.key(), value=b"done " + message.value(), partition=message.partition())
        producer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), LIMIT_S)
        rounds += 1
        if rounds == 1:
            # The first round comes to nothing: what was read is read again.
            producer.abort_transaction(LIMIT_S)
            for partition in reader.committed(reader.assignment(), LIMIT_S):
                reader.seek(TopicPartition(topic, partition.partition, max(0, partition.offset)))
            continue
        producer.commit_transaction(LIMIT_S)
        done += len(messages)
    reader.close()
    expect(sorted(f"done value {i}" for i in range(60)), sorted(read(target)), "values")


def create(topic):
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result(LIMIT_S)


SCENARIOS = [
    what_is_committed_is_read,
    what_is_aborted_is_passed_over,
    many_transactions_of_one_producer_every_third_aborted,
    an_empty_transaction_is_committed_and_aborted,
    a_second_producer_of_an_id_fences_the_first,
    a_transaction_that_takes_too_long_is_aborted,
    offsets_are_committed_with_the_transaction_and_not_before,
    records_are_consumed_processed_and_produced_exactly_once,
]

for scenario in SCENARIOS:
    sentence = scenario.__name__.replace("_", " ")
    topic = "rd-" + re.sub("[^a-z]+", "-", sentence)[:40]
    try:
        create(topic)
        scenario(topic)
        print(f"ok {sentence}", flush=True)
    except Exception as error:
        print(f"FAILED {sentence}: {type(error).__name__} {error}".replace("\n", " "), flush=True)
