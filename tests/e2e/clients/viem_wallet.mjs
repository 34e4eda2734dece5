// viem_wallet.mjs RELAY NODE KEY: a wallet whose only address is the relay; what it sends is in no pool.
import { createPublicClient, createWalletClient, defineChain, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const [relay, node, key] = process.argv.slice(2);
const chain = defineChain({
  id: 1337,
  name: "test",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [relay] } },
});
const account = privateKeyToAccount(key);
const wallet = createWalletClient({ account, chain, transport: http(relay) });
const reader = createPublicClient({ chain, transport: http(relay), pollingInterval: 100 });
const master = createPublicClient({ chain, transport: http(node) });

const holds = (what, truth, seen) => {
  if (!truth) {
    console.log(`${what}: ${seen}`);
    process.exit(1);
  }
};
holds("the chain", (await wallet.getChainId()) === 1337);
const nonce = await reader.getTransactionCount({ address: account.address });
// Fees, gas and nonce are the wallet's to find out.
const hash = await wallet.sendTransaction({ to: account.address, value: 7n });
const receipt = await reader.waitForTransactionReceipt({ hash, timeout: 30_000 });
holds("a receipt", receipt.status === "success", receipt.status);
const sent = await master.getTransaction({ hash });
holds("what was sent", sent.value === 7n && sent.nonce === nonce, sent.nonce);
console.log("all agree");
