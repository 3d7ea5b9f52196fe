"""What an error says of a record: that it was certainly not written, or nothing.

A send ends acknowledged, failed or unknown. Failed means that the record is certainly not in the log, and a ledger
takes it for an anomaly where it is found all the same. So only refusals count that a broker gives before it appends
(Apache Kafka's ``Errors`` and ``UnifiedLog``, ``Partition.appendRecordsToLeader``):

======================================  =======================================================================
Kafka's protocol error                  what is known
======================================  =======================================================================
MESSAGE_TOO_LARGE                       failed
INVALID_TOPIC_EXCEPTION                 failed
RECORD_LIST_TOO_LARGE                   failed
INVALID_REQUIRED_ACKS                   failed
TOPIC_AUTHORIZATION_FAILED              failed
CLUSTER_AUTHORIZATION_FAILED            failed
INVALID_TIMESTAMP                       failed
UNSUPPORTED_FOR_MESSAGE_FORMAT          failed
POLICY_VIOLATION                        failed
TRANSACTIONAL_ID_AUTHORIZATION_FAILED   failed
UNSUPPORTED_COMPRESSION_TYPE            failed
INVALID_RECORD                          failed
CORRUPT_MESSAGE                         failed, if the producer tries once only (retries=0): else an earlier
                                        attempt may have been written
NOT_ENOUGH_REPLICAS                     the same
NOT_ENOUGH_REPLICAS_AFTER_APPEND        unknown: it says so itself
NOT_LEADER_OR_FOLLOWER                  unknown: a leader gives it also to what it appended before it stepped down
REQUEST_TIMED_OUT, NETWORK_EXCEPTION    unknown: the answer is missing, not the record
every other, and a client's time-outs   unknown
======================================  =======================================================================
"""

from __future__ import annotations

__all__ = ["NOT_WRITTEN", "NOT_WRITTEN_AT_FIRST", "was_not_written"]

#: Codes of errors that a broker gives before it appends, and that producers do not try again.
NOT_WRITTEN = {
    10: "MESSAGE_TOO_LARGE",
    17: "INVALID_TOPIC_EXCEPTION",
    18: "RECORD_LIST_TOO_LARGE",
    21: "INVALID_REQUIRED_ACKS",
    29: "TOPIC_AUTHORIZATION_FAILED",
    31: "CLUSTER_AUTHORIZATION_FAILED",
    32: "INVALID_TIMESTAMP",
    43: "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    44: "POLICY_VIOLATION",
    53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    76: "UNSUPPORTED_COMPRESSION_TYPE",
    87: "INVALID_RECORD",
}
#: The same of errors that producers try again.
NOT_WRITTEN_AT_FIRST = {2: "CORRUPT_MESSAGE", 19: "NOT_ENOUGH_REPLICAS"}


def was_not_written(code: int | None, *, retries: bool) -> bool:
    """Return whether a send that ended with this protocol error is certainly in no log.

    Args:
        code: Kafka's number of the error; None, or a client's own negative number, where no broker gave one.
        retries: whether the producer may have tried before.
    """
    return code in NOT_WRITTEN or (code in NOT_WRITTEN_AT_FIRST and not retries)
