"""A bot that writes its state document twice a second, as a real one would: `python writer.py PATH [JSON to merge]`."""

import json
import sys
import time
from pathlib import Path

path = Path(sys.argv[1])
given = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
started = time.time()
while True:
    now = time.time()
    document = {
        "timestamp": now,
        "bot": {"name": path.stem, "status": "running", "started_at": started, "last_activity": now, "currency": "USDT"}
        | given.get("bot", {}),
        "trading": {"profit_loss": 12.5, "total_trades": 30, "winning_trades": 18, "losing_trades": 12}
        | given.get("trading", {}),
        "positions": [{"pair": "BTC/USDT", "size": 100.0}],
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(document))
    draft.replace(path)
    time.sleep(0.5)
