// viem.mjs MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY
import { createPublicClient, createWalletClient, defineChain, http, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { Asked, soon } from "./ask.mjs";

const [master, replica, socket, contract, last, key] = process.argv.slice(2);
const chain = defineChain({
  id: 1337,
  name: "test",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [replica] } },
});
const sides = [master, replica].map((url) => createPublicClient({ chain, transport: http(url), pollingInterval: 100 }));
const asked = new Asked(...sides);
const blockNumber = BigInt(last);
const account = privateKeyToAccount(key);
const word = `0x${"11".repeat(32)}`;

await asked.both("chain", (side) => side.getChainId());
for (let number = 0n; number <= blockNumber && number < 12n; number += 1n) {
  const block = await asked.both("block", (side) => side.getBlock({ blockNumber: number, includeTransactions: true }));
  await asked.both("block by hash", (side) => side.getBlock({ blockHash: block.hash }));
  await asked.both("count", (side) => side.getBlockTransactionCount({ blockNumber: number }));
  await asked.both("balance", (side) => side.getBalance({ address: account.address, blockNumber: number }));
  await asked.both("nonce", (side) => side.getTransactionCount({ address: account.address, blockNumber: number }));
  await asked.both("slot", (side) => side.getStorageAt({ address: contract, slot: "0x0", blockNumber: number }));
  await asked.both("code", (side) => side.getCode({ address: contract, blockNumber: number }));
  await asked.both("call", (side) => side.call({ to: contract, data: word, blockNumber: number }));
  for (const { hash } of block.transactions ?? []) {
    await asked.both("transaction", (side) => side.getTransaction({ hash }));
    await asked.both("receipt", (side) => side.getTransactionReceipt({ hash }));
  }
}
const logs = await asked.both("logs", (side) => side.getLogs({ address: contract, fromBlock: 0n, toBlock: blockNumber }));
asked.holds("there are logs", logs.length > 0);
await asked.both("gas", (side) => side.estimateGas({ account: account.address, to: contract, data: word, blockNumber }));
await asked.both("access list", (side) =>
  side.createAccessList({ account: account.address, to: contract, data: word, blockNumber }),
);
await asked.both("fees", (side) =>
  side.getFeeHistory({ blockCount: 4, rewardPercentiles: [10, 90], blockNumber }),
);
await asked.both("simulated", async (side) => {
  const calls = [{ account: account.address, to: contract, data: word }];
  const [block] = await side.simulateBlocks({ blocks: [{ calls }], blockNumber });
  // The blocks have other hashes: without a trie a replica cannot tell their state roots.
  return block.calls.map(({ logs, ...call }) => ({ ...call, logs: logs.map((log) => ({ ...log, blockHash: "" })) }));
});
await asked.both("deployless", (side) => side.call({ code: "0x60005460005260206000f3", data: "0x", blockNumber }));
await asked.both("overridden", (side) =>
  side.call({ to: contract, data: word, blockNumber, stateOverride: [{ address: contract, code: "0x60aa60005260206000fd" }] }),
);
await asked.both("signature", (side) =>
  side.verifyMessage({ address: contract, message: "m", signature: `0x${"01".repeat(65)}`, blockNumber }),
);
await asked.both("no transaction", (side) => side.getTransaction({ hash: word }));
await asked.both("no block", (side) => side.getBlock({ blockHash: word }));
await asked.both("traced", (side) =>
  side.request({ method: "debug_traceTransaction", params: [logs[0].transactionHash, { tracer: "callTracer" }] }),
);

// A filter over HTTP, and a subscription: both tell of the next logs.
const [, polled] = sides;
const subscribed = createPublicClient({ chain, transport: webSocket(socket) });
for (const [name, side] of [["filter", polled], ["subscription", subscribed]]) {
  const told = await soon(new Promise((resolve, fail) => {
    side.watchEvent({ address: contract, onLogs: resolve, onError: fail });
  }), `${name}'s logs`);
  asked.holds(name, told.every((log) => log.address === contract));
}
const head = await soon(new Promise((resolve) => subscribed.watchBlocks({ onBlock: resolve })), "head");
asked.holds("head", head.number > blockNumber);

// Sent to the replica, delivered by others, mined.
const wallet = createWalletClient({ account, chain, transport: http(replica) });
const hash = await wallet.sendTransaction({ to: contract, data: word, gas: 200_000n });
const receipt = await soon(polled.waitForTransactionReceipt({ hash }), "receipt");
asked.holds("sent", receipt.status === "success");
asked.end(100);
