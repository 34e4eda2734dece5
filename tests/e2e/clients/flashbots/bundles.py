"""bundles.py RELAY NODE KEY: bundles and private transactions by web3.py's plugin, each step with what it must bring."""

import sys
import time
import uuid

from eth_account import Account
from flashbots import flashbot
from web3 import HTTPProvider, Web3

SOON_S = 30


def soon(what, look):
    """Looks until something is there."""
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        try:
            if seen := look():
                return seen
        except Exception:  # not there yet, as the library says it
            pass
        time.sleep(0.1)
    sys.exit(f"no {what} within {SOON_S} s")


def holds(what, truth, seen):
    if not truth:
        sys.exit(f"{what}: {seen}")


def main(relay, node, key):
    # Whoever signs requests need own nothing.
    wallet, auth = Account.from_key(key), Account.create()
    w3 = Web3(HTTPProvider(node))
    flashbot(w3, auth, relay)
    nonce = w3.eth.get_transaction_count(wallet.address)
    fees = {"maxFeePerGas": 20 * 10**9, "maxPriorityFeePerGas": 10**9}
    tx = {"to": wallet.address, "value": 1, "gas": 21_000, "nonce": nonce, "chainId": w3.eth.chain_id, "type": 2, **fees}
    bundle = [{"signer": wallet, "transaction": dict(tx)}]

    # One that waits, is there, is cancelled.
    target, name = w3.eth.block_number + 60, str(uuid.uuid4())
    far = w3.flashbots.send_bundle(bundle, target_block_number=target, opts={"replacementUuid": name})
    bundle_hash = w3.to_hex(far.bundle_hash())
    seen = w3.flashbots.get_bundle_stats_v2(bundle_hash, target)
    holds("stats of a bundle", seen["isSimulated"] is False and seen["receivedAt"].endswith("Z"), seen)
    cancelled = w3.flashbots.cancel_bundles(name)
    holds("a cancel", bundle_hash in str(cancelled), cancelled)

    # One that lands: for each of the next blocks, as searchers do.
    head = w3.eth.block_number
    for target in (head + 1, head + 2, head + 3):
        try:
            near = w3.flashbots.send_bundle(bundle, target_block_number=target)
        except ValueError as error:  # the first of them may have come meanwhile
            holds("another bundle", "blockPast" in str(error), error)
    receipt = soon("receipt", lambda: w3.eth.get_transaction_receipt(near.bundle[0]["hash"]))
    holds("a bundle in a block", receipt["status"] == 1, receipt)

    # A private transaction that lands.
    kept = w3.flashbots.send_private_transaction({"signer": wallet, "transaction": {**tx, "nonce": nonce + 1}})
    soon("its receipt", lambda: w3.eth.get_transaction_receipt(kept.tx["hash"]))
    stats = soon("sum", lambda: paid(w3.flashbots.get_user_stats_v2()))
    holds("stats of a sender", stats["isHighPriority"] is False, stats)
    print("all agree")


def paid(stats):
    return stats if int(stats["allTimeValidatorPayments"]) >= 42_000 * 10**9 else None


main(*sys.argv[1:])
