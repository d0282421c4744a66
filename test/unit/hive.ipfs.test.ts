/**
 * The IPFS side of a whole drive: what peers keep are CAR files that standard tools read, and a
 * block that this machine has dropped comes back through Helia's blockstore.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CarReader } from "@ipld/car";
import { test } from "tap";
import { cidOf, parseCidBytes } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { type NodeConfig, openDrive, openNode } from "../../src/hive.ts";
import { run } from "../support/cli.ts";

test("shards are CAR files, and Helia fetches what is absent", { timeout: 150_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-ipfs-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  await using nodes = new AsyncDisposableStack();
  const holders = await openHolders(directory, 4);
  for (const { node } of holders) nodes.defer(() => node.close());
  const bootstrap = holders.map(({ address }) => address);
  const mount = join(directory, "drive");
  // The mount goes first: this process serves it, and must never look into it.
  await using drive = await openDrive({ log: silentLog }, {
    ...configOf(join(directory, "drive-node"), 0, bootstrap),
    driveSeed: randomBytes(32),
    cacheDirectory: join(directory, "cache"),
    cacheLimitBytes: 64 * 1024 * 1024,
    mount: { directory: mount },
  });
  const source = join(directory, "source");
  writeFileSync(source, randomBytes(1_500_000));
  t.equal((await run("cp", [source, mount], {})).code, 0);
  await drive.flush(30_000);
  t.equal((await drive.status()).class, "mirror");

  // Of each segment one holder has the data shard, the others have parity.
  const vaults = holders.map((_, at) => blocksIn(join(directory, `holder-${at + 1}`, "vault")));
  const blocks = (await Promise.all(vaults)).flat();
  t.ok(blocks.length >= 6, `${blocks.length} blocks in the holders' CAR files`);
  t.ok(blocks.every(({ cid, bytes }) => cidOf(bytes) === cid), "each is what its CID says");
  await drive.cache({ drop: true });
  const large = blocks.filter(({ bytes }) => bytes.some((byte) => byte !== 0)).slice(0, 6);
  for (const { cid, bytes } of large) {
    t.ok(Buffer.from(await drive.node.ipfsBlock(cid)).equals(bytes), "fetched from the peers");
  }

  await drive.unmount({ lazy: false });
});

interface Holder {
  readonly node: NodeDuties;
  readonly address: string;
}

async function openHolders(directory: string, count: number): Promise<readonly Holder[]> {
  const holders: Holder[] = [];
  for (let number = 1; number <= count; number++) {
    const known = holders.map(({ address }) => address);
    const config = configOf(join(directory, `holder-${number}`), number, known);
    const node = await openNode({ log: silentLog }, config);
    holders.push({ node, address: (await node.status()).addresses[0] as string });
  }
  return holders;
}

function configOf(directory: string, number: number, bootstrap: readonly string[]): NodeConfig {
  return {
    directory,
    peerSeed: randomBytes(32),
    driveSeed: undefined,
    deviceName: `device ${number}`,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap,
    household: `home-${number}`,
    country: undefined,
    mdns: false,
    quotaBytes: 1024 ** 3,
    deadAfterMs: 60_000,
    auditIntervalMs: 60_000,
  };
}

/** The blocks of every shard in a vault that is a CAR file: a data shard of class mirror. */
async function blocksIn(vault: string) {
  const files = readdirSync(vault, { recursive: true, encoding: "utf8" })
    .map((name) => join(vault, name))
    .filter((file) => statSync(file).isFile() && statSync(file).size >= 64 * 1024);
  const found = [];
  for (const file of files) {
    const bytes = readFileSync(file);
    if (!bytes.subarray(0, carStart.length).equals(carStart)) continue;
    const reader = await CarReader.fromBytes(bytes);
    for await (const block of reader.blocks()) {
      found.push({ cid: parseCidBytes(block.cid.bytes), bytes: block.bytes });
    }
  }
  return found;
}

/** A CARv1 header without roots: its length, then {"roots": [], "version": 1} in CBOR. */
const carStart = Buffer.from("11a265726f6f7473806776657273696f6e01", "hex");
