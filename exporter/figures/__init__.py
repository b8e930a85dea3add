"""What closed trades, open positions and the curve of equity come to."""
