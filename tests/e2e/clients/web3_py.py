"""web3_py.py MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY: what web3.py is told by both sides, compared."""

import asyncio
import sys
import time

from web3 import AsyncWeb3, Web3, WebSocketProvider

SOON = 30
WORD = "0x" + "33" * 32


class Asked:
    def __init__(self, *sides):
        self.sides = sides
        self.agreed = 0
        self.differ = []

    def both(self, name, call):
        master, replica = (self.outcome(call, side) for side in self.sides)
        self.holds(f"{name}: {master!r:.500} {replica!r:.500}", master == replica)
        return master

    @staticmethod
    def outcome(call, side):
        try:
            return call(side.eth)
        except Exception as error:  # what the library makes of an error is part of the answer
            return type(error).__name__, str(error)

    def holds(self, name, truth):
        if truth:
            self.agreed += 1
        else:
            self.differ.append(name)


def look(asked, contract, last, address):
    asked.both("chain", lambda eth: eth.chain_id)
    for number in range(min(last + 1, 12)):
        block = asked.both("block", lambda eth: eth.get_block(number, True))
        asked.both("by hash", lambda eth: eth.get_block(block.hash))
        asked.both("count", lambda eth: eth.get_block_transaction_count(number))
        asked.both("receipts", lambda eth: eth.get_block_receipts(number))
        asked.both("balance", lambda eth: eth.get_balance(address, number))
        asked.both("nonce", lambda eth: eth.get_transaction_count(address, number))
        asked.both("slot", lambda eth: eth.get_storage_at(contract, 0, number))
        asked.both("code", lambda eth: eth.get_code(contract, number))
        asked.both("call", lambda eth: eth.call({"to": contract, "data": WORD}, number))
        for transaction in block.transactions:
            asked.both("transaction", lambda eth: eth.get_transaction(transaction.hash))
            asked.both("raw", lambda eth: eth.get_raw_transaction(transaction.hash))
            asked.both("receipt", lambda eth: eth.get_transaction_receipt(transaction.hash))
    logs = asked.both("logs", lambda eth: eth.get_logs({"address": contract, "fromBlock": 0, "toBlock": last}))
    asked.holds("there are logs", len(logs) > 0)
    call = {"from": address, "to": contract, "data": WORD}
    asked.both("gas", lambda eth: eth.estimate_gas(call, last))
    asked.both("access list", lambda eth: eth.create_access_list(call, hex(last)))
    asked.both("fees", lambda eth: eth.fee_history(4, last, [10, 90]))
    code = {contract: {"code": "0x60aa60005260206000fd"}}
    asked.both("overridden", lambda eth: eth.call(call, last, code))
    asked.both("no transaction", lambda eth: eth.get_transaction(WORD))
    asked.both("no receipt", lambda eth: eth.get_transaction_receipt(WORD))
    asked.both("no block", lambda eth: eth.get_block(WORD))


def poll(asked, replica, contract):
    logs = replica.eth.filter({"address": contract})
    blocks = replica.eth.filter("latest")
    seen, deadline = [[], []], time.monotonic() + SOON
    while not all(seen) and time.monotonic() < deadline:
        seen[0] += logs.get_new_entries()
        seen[1] += blocks.get_new_entries()
        time.sleep(0.1)
    asked.holds("filters tell", all(seen) and all(log.address == contract for log in seen[0]))
    asked.holds("all logs are those of the filter", logs.get_all_entries() is not None)
    asked.holds("it is uninstalled", replica.eth.uninstall_filter(logs.filter_id))


async def listen(asked, socket, contract):
    async with AsyncWeb3(WebSocketProvider(socket)) as side:
        wanted = {await side.eth.subscribe("newHeads"), await side.eth.subscribe("logs", {"address": contract})}

        async def told():
            async for message in side.socket.process_subscriptions():
                wanted.discard(message["subscription"])
                if not wanted:
                    return

        await asyncio.wait_for(told(), SOON)
        asked.holds("subscriptions tell", not wanted)


def send(asked, replica, contract, account):
    transaction = {
        "from": account.address,
        "to": contract,
        "data": WORD,
        "nonce": replica.eth.get_transaction_count(account.address),
        "chainId": 1337,
        "gas": 200_000,
        "maxFeePerGas": replica.eth.gas_price * 2 + 2_000_000_000,
        "maxPriorityFeePerGas": 1,
    }
    signed = account.sign_transaction(transaction)
    digest = replica.eth.send_raw_transaction(signed.raw_transaction)
    asked.holds("its hash", digest == signed.hash)
    receipt = replica.eth.wait_for_transaction_receipt(digest, SOON)
    asked.holds("sent", receipt.status == 1)


def main(master, replica, socket, contract, last, key):
    sides = [Web3(Web3.HTTPProvider(url)) for url in (master, replica)]
    contract = Web3.to_checksum_address(contract)
    account = sides[1].eth.account.from_key(key)
    asked = Asked(*sides)
    look(asked, contract, int(last), account.address)
    poll(asked, sides[1], contract)
    asyncio.run(listen(asked, socket, contract))
    send(asked, sides[1], contract, account)
    for name in asked.differ[:5]:
        print(name)
    print(f"{asked.agreed} agree, {len(asked.differ)} differ")
    return 0 if asked.agreed >= 100 and not asked.differ else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
