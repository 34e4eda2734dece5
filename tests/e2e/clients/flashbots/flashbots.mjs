// flashbots.mjs RELAY NODE KEY: bundles and private transactions by the provider that searchers use, each step with what it must bring.
import { FlashbotsBundleProvider } from "@flashbots/ethers-provider-bundle";
import { JsonRpcProvider, Wallet, keccak256, concat } from "ethers";
import { randomUUID } from "node:crypto";

const [relay, node, key] = process.argv.slice(2);
const provider = new JsonRpcProvider(node);
const wallet = new Wallet(key, provider);
// Whoever signs requests need own nothing.
const auth = Wallet.createRandom();
const flashbots = await FlashbotsBundleProvider.create(provider, auth, relay);

const holds = (what, truth, seen) => {
  if (!truth) {
    console.log(`${what}: ${JSON.stringify(seen)}`);
    process.exit(1);
  }
};
const soon = async (what, look) => {
  for (let tries = 0; tries < 300; tries += 1) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no ${what} within 30 s`);
};

const tell = (text) => console.log(text);
const { chainId } = await provider.getNetwork();
const fees = { maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n };
const nonce = await wallet.getNonce();
const transaction = { to: wallet.address, value: 1n, gasLimit: 21_000n, nonce, chainId, type: 2, ...fees };
const [raw] = await flashbots.signBundle([{ signer: wallet, transaction }]);
const hash = keccak256(concat([keccak256(raw)]));

// One that waits, is there, is cancelled.
const [head, replacementUuid] = [await provider.getBlockNumber(), randomUUID()];
const far = await flashbots.sendRawBundle([raw], head + 60, { replacementUuid });
holds("a bundle's hash", far.bundleHash === hash, far);
const seen = await flashbots.getBundleStatsV2(far.bundleHash, head + 60);
holds("stats of a bundle", seen.isSimulated === false && seen.receivedAt.endsWith("Z"), seen);
tell(`bundle ${hash} for block ${head + 60} received at ${seen.receivedAt}`);
const cancelled = await flashbots.cancelBundles(replacementUuid);
holds("a cancel", cancelled.bundleHashes?.bundleHashes?.[0] === hash, cancelled);
tell("cancelled");

// One that lands: for each of the next blocks, as searchers do.
const next = (await provider.getBlockNumber()) + 1;
for (const block of [next, next + 1, next + 2]) {
  const near = await flashbots.sendRawBundle([raw], block);
  // The first of them may have come meanwhile.
  holds("another bundle", near.bundleHash === hash || near.error?.code === -32602, near);
}
const landed = await soon("receipt", () => provider.getTransactionReceipt(keccak256(raw)));
holds("a bundle in a block", landed.status === 1, landed);
const sent = await soon("builder's word", async () => {
  const stats = await flashbots.getBundleStatsV2(hash, landed.blockNumber);
  return stats.consideredByBuildersAt?.length > 0 && stats;
});
holds("when a builder had it", sent.consideredByBuildersAt[0].timestamp.endsWith("Z"), sent);
for (const { pubkey, timestamp } of sent.consideredByBuildersAt) tell(`sent to ${pubkey} at ${timestamp}`);
tell(`landed in block ${landed.blockNumber}`);

// A private transaction, which lands, and is too late to be taken back.
const second = { ...transaction, nonce: nonce + 1 };
const kept = await flashbots.sendPrivateTransaction({ signer: wallet, transaction: second });
holds("a private transaction", kept.transaction?.nonce === nonce + 1, kept);
const own = await soon("its receipt", () => provider.getTransactionReceipt(kept.transaction.hash));
tell(`private transaction ${kept.transaction.hash} landed in block ${own.blockNumber}`);
const paid = await soon("sum", async () => {
  const stats = await flashbots.getUserStatsV2();
  return BigInt(stats.allTimeValidatorPayments) >= 42_000_000_000_000n && stats;
});
holds("stats of a sender", paid.isHighPriority === false && BigInt(paid.last1dGasSimulated) >= 21_000n, paid);
tell(`paid ${paid.allTimeValidatorPayments} wei to who built the blocks`);
const unknown = await flashbots.cancelPrivateTransaction(kept.transaction.hash);
holds("a cancel of what was there", unknown === true, unknown);

// Mistakes come back as the library has them.
const refused = await flashbots.sendRawBundle([raw], 1);
holds("a block that is past", refused.error?.code === -32602, refused);
console.log("all agree");
