"""hftbacktest's side of the replay benchmarks; runs in an environment of its own.

    PEER_PYTHON benchmarks/peers/hftbacktest_replay.py FEED.npz --mode l3 --fills FILLS.npz

Needs hftbacktest, Numba and NumPy (requirements.txt beside this file) and nothing of paceline. The
feed is one that `convert.py` wrote.

The strategy: from `first_ns` on, every `every_ns`, while a later event of the feed remains:

1. An order that is still open is cancelled.
2. A new order, to buy one lot at the best bid of the recorded book, is sent right behind the cancel
   (post-only; good till cancelled). Nothing is sent when there is no best bid.

Cancels and orders of one decision reach the exchange in this order, `--entry-ns` after the
decision. Orders are numbered from 1, one for each decision. The queue model is `L3FIFOQueueModel`
(l3) or `RiskAdverseQueueModel` (l2), the exchange the one without partial fills.

Prints one line of JSON. Only the replay is timed, not compiling, building, and taking the data in.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from importlib.metadata import version

import numpy as np
from hftbacktest import (
    ALL_ASSETS,
    CANCELED,
    EXPIRED,
    FILLED,
    GTX,
    LIMIT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from numba import njit, uint64

END_OF_DATA = 1
FIELDS = ("order", "ts", "ticks", "lots", "side", "maker")
"""Columns of a fill: number of the order, time at the exchange (ns), price, size, +1 for a buy."""


@njit
def settle(hbt, orders, oldest, newest, fills, n_fills):
    """Note the fills among orders `oldest` to `newest` in `fills` `[n, 6]`, cancel what is open.

    Returns (oldest order that may still fill, fills noted). By number, because walking through its
    dictionary of orders takes longer.
    """
    still_alive = newest + 1
    for number in range(oldest, newest + 1):
        order = orders.get(uint64(number))
        if order is None:
            continue
        status = order.status
        if status == FILLED:
            fills[n_fills, 0] = number
            fills[n_fills, 1] = order.exch_timestamp
            fills[n_fills, 2] = order.exec_price_tick
            fills[n_fills, 3] = round(order.exec_qty)
            fills[n_fills, 4] = order.side
            fills[n_fills, 5] = order.arr[0].maker
            n_fills += 1
        elif status != CANCELED and status != EXPIRED:
            still_alive = min(still_alive, number)
            if order.cancellable:
                hbt.cancel(0, uint64(number), False)
    hbt.clear_inactive_orders(ALL_ASSETS)
    return still_alive, n_fills


@njit
def replay(hbt, first, every, tick_size, lot, fills):
    """Run the strategy: decide `first` ns after the first event, then every `every` ns.

    Returns (decisions, fills, status): status is 1 at the end of the data, else an error of its.
    """
    orders, depth = hbt.orders(0), hbt.depth(0)
    number, oldest, n_fills = 0, 1, 0
    status = hbt.elapse(first)
    while status == 0:
        oldest, n_fills = settle(hbt, orders, oldest, number, fills, n_fills)
        number += 1
        bid = depth.best_bid_tick
        if bid > 0:
            price = bid * tick_size
            status = hbt.submit_buy_order(0, uint64(number), price, lot, GTX, LIMIT, False)
            if status != 0:
                break
        status = hbt.elapse(every)
    oldest, n_fills = settle(hbt, orders, oldest, number, fills, n_fills)
    return number, n_fills, status


def build(events, feed, args):
    """A fresh backtest over `events`."""
    asset = (
        BacktestAsset()
        .data(events)
        .parallel_load(False)
        .linear_asset(1.0)
        .constant_order_latency(args.entry_ns, args.response_ns)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(float(feed["tick_size"]))
        .lot_size(float(feed["lot_size"]))
        .last_trades_capacity(0)
    )
    asset = asset.l3_fifo_queue_model() if args.mode == "l3" else asset.risk_adverse_queue_model()
    if args.depth == "hashmap":
        return HashMapMarketDepthBacktest([asset])
    margin = 10 * float(feed["tick_size"])
    asset = asset.roi_lb(events["px"].min() - margin).roi_ub(events["px"].max() + margin)
    return ROIVectorMarketDepthBacktest([asset])


def run(events, feed, args, fills):
    """One replay: (seconds, decisions, fills)."""
    hbt = build(events, feed, args)
    first = int(feed["first_ns"]) - int(events["exch_ts"][0])
    settings = first, int(feed["every_ns"]), float(feed["tick_size"]), float(feed["lot_size"])
    hbt.elapse(0)  # takes the data in and goes to the time of the first event
    start = time.perf_counter()
    decisions, n_fills, status = replay(hbt, *settings, fills)
    seconds = time.perf_counter() - start
    hbt.close()
    if status != END_OF_DATA:
        raise SystemExit(f"hftbacktest: stopped with status {status} at decision {decisions}")
    return seconds, decisions, n_fills


def main() -> None:
    parser = argparse.ArgumentParser(description="Replay a feed in hftbacktest.")
    parser.add_argument("feed", help=".npz written by convert.py")
    parser.add_argument("--mode", choices=("l3", "l2"), required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--entry-ns", type=int, default=0, help="decision to exchange")
    parser.add_argument("--response-ns", type=int, default=0, help="exchange to us")
    parser.add_argument("--feed-ns", type=int, default=0, help="market data to us")
    parser.add_argument("--depth", choices=("roivec", "hashmap"), default="roivec")
    parser.add_argument("--fills", help="write the fills to this .npz")
    args = parser.parse_args()

    feed = np.load(args.feed)
    events = feed["data"]
    events["local_ts"] += args.feed_ns
    # Not more than one fill for each decision.
    span = int(events["exch_ts"][-1] - events["exch_ts"][0])
    fills = np.empty((span // int(feed["every_ns"]) + 2, len(FIELDS)), np.int64)

    first_events = np.ascontiguousarray(events[: max(1000, len(events) // 100)])
    start = time.perf_counter()
    run(first_events, feed, args, fills)
    compile_s = time.perf_counter() - start
    seconds = []
    for _ in range(args.runs):
        taken, decisions, n_fills = run(events, feed, args, fills)
        seconds.append(taken)
    median = statistics.median(seconds)
    fills = fills[:n_fills]
    fills = fills[np.argsort(fills[:, 0], kind="stable")]
    if args.fills:
        np.savez(args.fills, **{name: fills[:, k] for k, name in enumerate(FIELDS)})
    messages = int(feed["messages"])
    print(
        json.dumps(
            {
                "peer": f"hftbacktest {version('hftbacktest')}",
                "mode": args.mode,
                "depth": args.depth,
                "messages": messages,
                "events": len(events),
                "decisions": int(decisions),
                "fills": int(n_fills),
                "seconds": [round(s, 4) for s in seconds],
                "messages_per_s": round(messages / median),
                "events_per_s": round(len(events) / median),
                "compile_s": round(compile_s, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
