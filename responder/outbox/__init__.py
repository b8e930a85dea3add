"""What leaves by SMS, phone and webhook: kept, sent until it is delivered, shown."""
