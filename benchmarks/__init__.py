"""kafkalab measured beside stock Kafka, in one run; what takes minutes is in ``benchmarks.soak``."""
