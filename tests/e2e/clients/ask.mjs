// What both sides are asked, and whether they say the same. Used by ethers.mjs and viem.mjs.

// As JSON has it: big numbers as text, fields by name, without what is the library's own.
const sorted = (item) =>
  item && typeof item === "object" && !Array.isArray(item)
    ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
    : item;
export const plain = (value) =>
  JSON.parse(
    JSON.stringify(value ?? null, (name, item) =>
      typeof item === "bigint" ? `${item}n` : name === "provider" ? undefined : sorted(item),
    ),
  );

const outcome = async (call, side) => {
  try {
    return plain(await call(side));
  } catch (error) {
    // The library's own words differ by address of the server; what it was told does not.
    const told = error.cause?.details ?? error.details ?? error.info?.error ?? error.shortMessage ?? error.message;
    return { refused: plain(error.data ?? error.cause?.data ?? null), told: plain(told) };
  }
};

export class Asked {
  agreed = 0;
  differ = [];

  constructor(master, replica) {
    this.sides = [master, replica];
  }

  // Asks both and compares.
  async both(name, call) {
    const [master, replica] = await Promise.all(this.sides.map((side) => outcome(call, side)));
    if (JSON.stringify(master) === JSON.stringify(replica)) this.agreed += 1;
    else this.differ.push({ name, master, replica });
    return master;
  }

  // Something that only the replica can be asked.
  holds(name, truth) {
    if (truth) this.agreed += 1;
    else this.differ.push({ name });
  }

  end(least) {
    for (const { name, master, replica } of this.differ.slice(0, 5)) {
      const [one, other] = [master, replica].map((side) => JSON.stringify(side) ?? "");
      let at = 0;
      while (at < one.length && one[at] === other[at]) at += 1;
      const [geth, ours] = [one, other].map((text) => text.slice(Math.max(at - 60, 0), at + 200));
      console.log(`${name}: geth …${geth}…, replica …${ours}…`);
    }
    console.log(`${this.agreed} agree, ${this.differ.length} differ`);
    process.exit(this.differ.length === 0 && this.agreed >= least ? 0 : 1);
  }
}

// Fails instead of waiting for ever.
export const soon = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, fail) => setTimeout(() => fail(new Error(`no ${what} within 30 s`)), 30_000).unref()),
  ]);
