// ethers.mjs MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY
import { JsonRpcProvider, Wallet, WebSocketProvider } from "ethers";
import { Asked, soon } from "./ask.mjs";

const [master, replica, socket, contract, last, key] = process.argv.slice(2);
// Without joining requests of a tick into batches for one side, and with for the other: the answers are the same.
const sides = [new JsonRpcProvider(master, 1337, { batchMaxCount: 1 }), new JsonRpcProvider(replica, 1337)];
const asked = new Asked(...sides);
const blockTag = Number(last);
const wallet = new Wallet(key, sides[1]);
const from = wallet.address;
const data = `0x${"22".repeat(32)}`;
const tx = { from, to: contract, data };

await asked.both("network", async (side) => (await side.getNetwork()).chainId);
for (let number = 0; number <= blockTag && number < 12; number += 1) {
  const block = await asked.both("block", (side) => side.getBlock(number, true));
  await asked.both("block by hash", (side) => side.getBlock(block.hash));
  await asked.both("balance", (side) => side.getBalance(from, number));
  await asked.both("nonce", (side) => side.getTransactionCount(from, number));
  await asked.both("slot", (side) => side.getStorage(contract, 0, number));
  await asked.both("code", (side) => side.getCode(contract, number));
  await asked.both("call", (side) => side.call({ ...tx, blockTag: number }));
  for (const hash of block.transactions ?? []) {
    await asked.both("transaction", (side) => side.getTransaction(hash));
    await asked.both("receipt", (side) => side.getTransactionReceipt(hash));
    await asked.both("result", (side) => side.send("debug_traceTransaction", [hash, { tracer: "callTracer" }]));
  }
}
const range = { address: contract, fromBlock: 0, toBlock: blockTag };
const logs = await asked.both("logs", (side) => side.getLogs(range));
asked.holds("there are logs", logs.length > 0);
await asked.both("logs of a topic", (side) => side.getLogs({ ...range, topics: [logs[0].topics[0]] }));
await asked.both("logs of a block", (side) => side.getLogs({ address: contract, blockHash: logs[0].blockHash }));
await asked.both("gas", (side) => side.send("eth_estimateGas", [tx, `0x${blockTag.toString(16)}`]));
await asked.both("no gas is enough", (side) => side.call({ data: "0x60aa60005260206000fd", from, blockTag }));
await asked.both("no transaction", (side) => side.getTransaction(data));
await asked.both("no receipt", (side) => side.getTransactionReceipt(data));
await asked.both("no block", (side) => side.getBlock(data));
await asked.both("a wrong call", (side) => side.send("eth_getBalance", ["0x1"]));
asked.holds("fees", (await sides[1].getFeeData()).maxFeePerGas > 0n);

const subscribed = new WebSocketProvider(socket, 1337);
for (const [name, side] of [["filter", sides[1]], ["subscription", subscribed]]) {
  const log = await soon(new Promise((resolve) => side.once({ address: contract }, resolve)), `${name}'s log`);
  asked.holds(name, log.address.toLowerCase() === contract.toLowerCase());
}
const head = await soon(new Promise((resolve) => subscribed.once("block", resolve)), "head");
asked.holds("head", head > blockTag);

const sent = await wallet.sendTransaction({ to: contract, data, gasLimit: 200_000 });
const receipt = await soon(sent.wait(), "receipt");
asked.holds("sent", receipt.status === 1);
const full = await asked.both("its receipt", (side) => side.getTransactionReceipt(sent.hash));
asked.holds("its block", full.blockHash === receipt.blockHash);
asked.end(100);
